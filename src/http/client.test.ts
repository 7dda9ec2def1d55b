import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Replicate, { type FileOutput, parseProgressFromLogs } from 'replicate'
import { expect, onTestFinished, test } from 'vitest'
import { refuse } from '../core/failure.ts'
import { defaultPolicy } from '../core/policy.ts'
import { systemClock } from '../engine/clock.ts'
import { createEngine } from '../engine/engine.ts'
import { createDiskFiles } from '../files/disk.ts'
import { createDownload } from '../files/download.ts'
import { createSigner } from '../files/signing.ts'
import type { Observation, Provider } from '../providers/contract.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { createApp } from './app.ts'
import { createProviderLinks } from './links.ts'
import { listen } from './node.ts'
import type { PredictionJson } from './shapes.ts'
import { png, sketch } from './test-support.ts'

const splat = 'the bytes of a splat'

/** A provider whose runs go on until the test, or a cancel, ends them. */
function createHandProvider() {
  let seen: Observation = { status: 'running', word: 'running', progress: { stage: 'draw', fraction: 0.25 } }
  const provider: Provider = {
    kind: 'hand',
    trustedOrigins: [],
    limits: {
      inputForms: ['data'],
      outputForms: ['data'],
      inlineOutputBytes: 1_000,
      resultKeptMs: 60_000,
      heldStart: false,
      startTimeoutMs: 5_000,
      callTimeoutMs: 5_000,
      pollMs: 20,
      thisHostOnly: false,
    },
    parseTarget: () => ({}),
    start: async () => ({ kind: 'accepted', handle: 'run' }),
    poll: async () => seen,
    async cancel() {
      seen = { status: 'canceled', word: 'canceled' }
      return 'ended'
    },
    cost: () => ({ amount: 0.01, currency: 'USD', estimated: false }),
    pricePerSecond: () => 0.001,
  }
  return {
    provider,
    succeed() {
      const uri = `data:application/octet-stream;base64,${Buffer.from(splat).toString('base64')}`
      seen = { status: 'succeeded', word: 'succeeded', outputs: [{ kind: 'data', uri }] }
    },
  }
}

/** The real engine, store and files behind a real port, and the published client with nothing changed but its base URL. */
async function setup(publicUrl: string | null = null) {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-client-'))
  const hand = createHandProvider()
  const store = await openSqliteStore({ path: ':memory:' })
  const files = createDiskFiles({ directory })
  const signer = createSigner('a secret for tests')
  let ids = 0
  const deployment = { name: 'sketch@hand', providerName: 'hand', provider: hand.provider, target: {}, concurrency: 4 }
  const engine = createEngine({
    name: 'test',
    alone: true,
    store,
    files,
    download: createDownload(),
    routes: new Map([[sketch.name, { model: sketch, deployments: [deployment], policy: defaultPolicy }]]),
    links: createProviderLinks(signer, publicUrl),
    serverKey: 'another secret for tests',
    clock: systemClock,
    random: () => 0.5,
    newId: () => `id${String(++ids).padStart(8, '0')}`,
    fetch: () => Promise.reject(new Error('nothing is fetched here')),
    notify: async () => true,
    log: () => undefined,
  })
  await engine.start()
  let app: ReturnType<typeof createApp> | undefined
  const server = await listen({
    port: 0,
    host: '127.0.0.1',
    publicUrl,
    app(address) {
      const log = () => undefined
      app = createApp({ ...address, engine, store, files, signer, clock: systemClock, publicUrl, studio: null, log })
      return app
    },
  })
  onTestFinished(async () => {
    await server.close(0)
    await engine.stop()
    await store.close()
    rmSync(directory, { recursive: true })
  })
  return {
    ...hand,
    app: () => app ?? refuse('internal', 'There is no app yet.'),
    replicate: new Replicate({ auth: 'any', baseUrl: `${server.url}/v1` }),
  }
}

test('the published client runs a model on an uploaded photo and gets the stored bytes', async () => {
  const { replicate, succeed } = await setup()
  const statuses: string[] = []
  const image = new Blob([png], { type: 'image/png' })
  const running = replicate.run(
    'acme/sketch',
    { input: { image, steps: 3 }, wait: { mode: 'block', timeout: 60 } },
    ({ status }) => statuses.push(status),
  )
  succeed()
  const output = await running
  // The client makes a FileOutput of https and data addresses only; on plain http its caller gets the address itself.
  const response = await fetch(String(output))
  expect(await response.text()).toBe(splat)
  expect(new Set(statuses)).toEqual(new Set(['succeeded']))
})

test('behind a local proxy with TLS, the published client gets its usual FileOutput', async () => {
  const publicUrl = 'https://localhost:8443'
  const { app, succeed } = await setup(publicUrl)
  const fetch = async (url: string | URL | Request, init?: RequestInit) => app().fetch(new Request(url, init))
  const replicate = new Replicate({ auth: 'any', baseUrl: `${publicUrl}/v1`, fetch })
  succeed()
  const output = (await replicate.run('acme/sketch', { input: { image: new Blob([png]) } })) as FileOutput
  expect(output.url().href).toMatch(/^https:\/\/localhost:8443\/v1\/outputs\//)
  expect(await (await output.blob()).text()).toBe(splat)
})

test('the published client waits by polling, lists and shows predictions, with progress from the logs', async () => {
  const { replicate, succeed } = await setup()
  const image = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
  const created = await replicate.predictions.create({ version: sketch.version, input: { image } })
  expect(created.status).toBe('starting')
  const fractions: number[] = []
  const ended = await replicate.wait(created, { interval: 20 }, async prediction => {
    const progress = parseProgressFromLogs(prediction.logs ?? '')
    if (progress !== null) {
      fractions.push(progress.percentage)
      succeed()
    }
    return false
  })
  expect(ended).toMatchObject({ id: created.id, status: 'succeeded', model: 'acme/sketch' })
  expect(fractions[0]).toBe(0.25)
  const pages: string[][] = []
  for await (const page of replicate.paginate(replicate.predictions.list)) pages.push(page.map(({ id }) => id))
  expect(pages).toEqual([[created.id]])
  expect((await replicate.predictions.get(created.id)) as unknown as PredictionJson).toMatchObject({
    surefoot: { cost: { amount: 0.01 }, deployment: 'sketch@hand', output: { bytes: splat.length } },
  })
})

test('the published client cancels', async () => {
  const { replicate } = await setup()
  const image = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
  const created = await replicate.predictions.create({ model: 'acme/sketch', input: { image } })
  await replicate.predictions.cancel(created.id)
  expect((await replicate.wait(created, { interval: 20 })).status).toBe('canceled')
})

test('the published client stores, shows, lists and deletes files', async () => {
  const { replicate } = await setup()
  const file = await replicate.files.create(new Blob([png], { type: 'image/png' }), { from: 'test' })
  expect(file).toMatchObject({ content_type: 'image/png', size: png.length, metadata: { from: 'test' } })
  expect(await replicate.files.get(file.id)).toEqual(file)
  expect((await replicate.files.list()).results).toEqual([file])
  expect(await replicate.files.delete(file.id)).toBe(true)
  await expect(replicate.files.get(file.id)).rejects.toThrow('404')
})

test('the published client finds models and versions, and is told what is wrong', async () => {
  const { replicate } = await setup()
  expect(await replicate.accounts.current()).toMatchObject({ username: 'local' })
  expect((await replicate.models.list()).results.map(({ name }) => name)).toEqual(['sketch'])
  expect(await replicate.models.get('acme', 'sketch')).toMatchObject({ latest_version: { id: sketch.version } })
  expect(await replicate.models.versions.get('acme', 'sketch', sketch.version)).toMatchObject({ id: sketch.version })
  await expect(replicate.run('acme/sketch', { input: { steps: 0 } })).rejects.toThrow('422')
})
