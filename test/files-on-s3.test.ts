import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createRandom, createReliefWork, createRunpodEmulator, serveEmulator } from '../src/emulators/index.ts'
import { systemClock } from '../src/engine/clock.ts'
import { startS3 } from '../src/files/test-s3.ts'
import type { AttemptsJson, FileJson, PredictionJson } from '../src/http/shapes.ts'
import { checkSplat } from '../src/splat/check.ts'
import { makeFolder, root, startGateway } from './support/gateway.ts'
import { startPostgres } from './support/postgres.ts'

const photo = readFileSync(join(root, 'examples/photos/rocket.jpg'))

/** A bucket, an emulated RunPod whose kit makes real reliefs, and a gateway that neither can reach: it has no public URL. */
async function setup({ route, files = true, bootMs = 200 }: { route: string; files?: boolean; bootMs?: number }) {
  const s3 = await startS3({ conditional: true })
  onTestFinished(s3.close)
  const folder = makeFolder()
  const emulator = createRunpodEmulator({
    clock: systemClock,
    random: createRandom(1),
    work: createReliefWork({ clock: systemClock, directory: join(folder, 'emulated') }),
    bootMs,
  })
  const served = await serveEmulator(emulator)
  onTestFinished(served.close)
  const config = {
    models: { relief: { route: [route], policy: { stallMs: 120_000, lastStageMs: 60_000, deadlineMs: 180_000 } } },
    ...(files ? { files: { s3: { ...s3.options, prefix: 'gateway' } } } : {}),
  }
  const text = `import { defineConfig, runpod } from '${join(root, 'src/index.ts')}'

export default defineConfig({
  providers: { runpod: runpod({ apiKey: 'any', baseUrl: '${served.origin}/v2' }) },
  deployments: { 'relief@runpod': { target: { endpoint: 'relief', kit: true } } },
  ...${JSON.stringify(config)},
})
`
  /** A gateway with a data folder of its own. */
  const start = async (env: Readonly<Record<string, string>> = {}) => {
    const cwd = makeFolder()
    writeFileSync(join(cwd, 'surefoot.config.ts'), text)
    return await startGateway({ cwd, env })
  }
  return { s3, emulator, start }
}

async function create(url: string): Promise<Response> {
  const form = new FormData()
  form.set('content', new Blob([photo], { type: 'image/jpeg' }), 'rocket.jpg')
  const file = (await (await fetch(`${url}/v1/files`, { method: 'POST', body: form })).json()) as FileJson
  return await fetch(`${url}/v1/models/surefoot/relief/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: { image: file.urls.get } }),
  })
}

async function settled(url: string, id: string): Promise<PredictionJson> {
  return await vi.waitFor(
    async () => {
      const seen = (await (await fetch(`${url}/v1/predictions/${id}`)).json()) as PredictionJson
      expect(seen.surefoot.settled).toBe(true)
      return seen
    },
    { timeout: 200_000, interval: 200 },
  )
}

/** What is in the bucket, as keys. */
function writtenKeys(requests: readonly string[], method: string): string[] {
  return requests.flatMap(line => {
    const [verb, path = ''] = line.split(' ')
    return verb === method ? [new URL(path, 'http://s3').pathname.replace('/files/gateway/', '')] : []
  })
}

test('without a public URL a kit reads its photo from the bucket and uploads to it; the gateway takes and serves what is whole', async () => {
  const { s3, start, emulator } = await setup({ route: 'relief@runpod' })
  const { url } = await start()
  const { id } = (await (await create(url)).json()) as PredictionJson
  const prediction = await settled(url, id)
  expect(prediction.status).toBe('succeeded')
  expect(emulator.state().submits).toBe(1)
  const { attempts } = (await (await fetch(`${url}/v1/predictions/${id}/attempts`)).json()) as AttemptsJson
  expect(attempts.map(({ state }) => state)).toEqual(['won'])

  const response = await fetch(String(prediction.output))
  const check = await checkSplat((response.body ?? new Blob([]).stream()) as AsyncIterable<Uint8Array>)
  expect(check.valid && check.statistics.count).toBeGreaterThan(100_000)
  const part = await fetch(String(prediction.output), { headers: { range: 'bytes=0-2' } })
  expect([part.status, await part.text()]).toEqual([206, 'ply'])

  const puts = writtenKeys(s3.requests, 'PUT')
  const [upload] = puts.filter(key => key.startsWith('uploads/'))
  expect(puts.filter(key => key.startsWith(`outputs/${id}/`))).toHaveLength(1)
  expect(puts.filter(key => key.endsWith('/rocket.jpg'))).toHaveLength(1)
  expect(writtenKeys(s3.requests, 'DELETE')).toContain(upload)
})

test('a relief on this machine works with a bucket as its store', async () => {
  const { s3, start } = await setup({ route: 'relief@local' })
  const { url } = await start()
  const { id } = (await (await create(url)).json()) as PredictionJson
  const { status, output } = await settled(url, id)
  expect(status).toBe('succeeded')
  const response = await fetch(String(output))
  const check = await checkSplat((response.body ?? new Blob([]).stream()) as AsyncIterable<Uint8Array>)
  expect(check.valid).toBe(true)
  expect(await s3.pending()).toEqual([])
})

test('with files on disk and no public URL the same kit is refused before anything is spent', async () => {
  const { start, emulator } = await setup({ route: 'relief@runpod', files: false })
  const { url } = await start()
  const created = (await (await create(url)).json()) as PredictionJson
  const { status, surefoot } = await settled(url, created.id)
  expect([status, surefoot.failure?.code]).toEqual(['failed', 'no_route_for_bytes'])
  expect(emulator.state().submits).toBe(0)
})

test('gateways that share only a database and a bucket take over from each other, and serve what another one stored', async () => {
  const database = await startPostgres()
  onTestFinished(() => database.close())
  const { start, emulator } = await setup({ route: 'relief@runpod', bootMs: 5_000 })
  const env = { SUREFOOT_DATABASE_URL: database.url }
  const [first, second] = await Promise.all([start(env), start(env)])
  const { id } = (await (await create(first.url)).json()) as PredictionJson
  // Once the vendor's answer is stored: before that the run would have to be known again by its upload.
  await vi.waitFor(
    async () => {
      const { attempts } = (await (await fetch(`${first.url}/v1/predictions/${id}/attempts`)).json()) as AttemptsJson
      expect(attempts.map(({ state }) => state)).not.toContain('submitting')
      expect(emulator.state().submits).toBe(1)
    },
    { timeout: 60_000, interval: 50 },
  )
  first.child.kill('SIGKILL')
  await first.ended

  const { status, output, input } = await settled(second.url, id)
  expect([status, emulator.state().submits]).toEqual(['succeeded', 1])
  const photoAgain = await fetch(String(input.image))
  expect(Buffer.from(await photoAgain.arrayBuffer()).equals(photo)).toBe(true)

  // A third one, with the second one's link: signed by what the database holds.
  const third = await start(env)
  const link = new URL(String(output))
  const response = await fetch(new URL(link.pathname + link.search, third.url))
  const check = await checkSplat((response.body ?? new Blob([]).stream()) as AsyncIterable<Uint8Array>)
  expect(check.valid).toBe(true)
})
