import { createHmac } from 'node:crypto'
import { createServer } from 'node:http'
import Replicate, { type Prediction, parseProgressFromLogs, validateWebhook } from 'replicate'
import { afterEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../engine/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { serveEmulator } from '../serve.ts'
import { createEchoWork } from '../works.ts'
import { createReplicateEmulator } from './index.ts'

/** The vendor's published client against the emulator, on a real port, told nothing but the base URL. */
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function setup(faults: string[] = [], more: { createsPerMinute?: number; durationMs?: number } = {}) {
  const emulator = createReplicateEmulator({
    clock: systemClock,
    random: createRandom(1),
    work: createEchoWork({ clock: systemClock, durationMs: more.durationMs ?? 50 }),
    faults,
    token: 'r8_good',
    bootMs: 20,
    ...(more.createsPerMinute === undefined ? {} : { createsPerMinute: more.createsPerMinute }),
  })
  const served = await serveEmulator(emulator)
  cleanups.push(() => served.close())
  const client = (auth = 'r8_good') => new Replicate({ auth, baseUrl: `${served.origin}/v1`, useFileOutput: false })
  return { emulator, origin: served.origin, replicate: client(), client }
}

const version = 'a'.repeat(64)
const photo = new Blob([new TextEncoder().encode('a photo')], { type: 'image/png' })

test('run() uploads a file, waits, and gives the URL of what the model made of it', async () => {
  const { replicate, origin } = await setup()
  const output: unknown = await replicate.run('surefoot/echo', { input: { photo } })
  expect(output).toMatch(new RegExp(`^${origin}/delivery/\\w{26}/0/echo.png$`))
  expect(await (await fetch(String(output))).text()).toBe('a photo')
})

test('run() by polling reports progress that the client can read from the logs', async () => {
  const { replicate } = await setup()
  const seen: Prediction[] = []
  await replicate.run(`surefoot/echo:${version}`, { input: { photo }, wait: { mode: 'poll', interval: 10 } }, each =>
    seen.push(each),
  )
  expect(seen[0]?.status).toBe('starting')
  expect(seen.at(-1)).toMatchObject({ status: 'succeeded', model: 'emulated/model', version })
  expect(parseProgressFromLogs(seen.at(-1)?.logs ?? '')).toEqual({ percentage: 1, current: 100, total: 100 })
})

test.each([
  ['the default', undefined],
  ['a block that is long enough', { mode: 'block', timeout: 10 }],
  ['a block that is too short, and goes on by polling', { mode: 'block', timeout: 1, interval: 10 }],
  ['polling', { mode: 'poll', interval: 10 }],
] as const)('run() with %s as its wait gives the same output', async (_, wait) => {
  const isShort = wait?.mode === 'block' && wait.timeout === 1
  const { replicate, origin, emulator } = await setup([], isShort ? { durationMs: 1100 } : {})
  const output: unknown = await replicate.run(`surefoot/echo:${version}`, { input: { photo }, ...(wait && { wait }) })
  expect(output).toMatch(new RegExp(`^${origin}/delivery/`))
  expect(emulator.state().submits).toBe(1)
})

test('run() that is aborted cancels its prediction, and gives what a canceled one has', async () => {
  const { replicate, emulator } = await setup([], { durationMs: 60_000 })
  const stop = new AbortController()
  const options = { input: { text: 'hello' }, wait: { mode: 'poll', interval: 10 }, signal: stop.signal } as const
  const output: unknown = await replicate.run('surefoot/echo', options, ({ status }) => {
    if (status === 'processing') stop.abort()
  })
  expect(output).toBeNull()
  await vi.waitFor(() => expect(emulator.state()).toMatchObject({ submits: 1, ledger: [{ status: 'canceled' }] }))
})

test('create, get, wait and list agree on one prediction', async () => {
  const { replicate } = await setup()
  const created = await replicate.predictions.create({ version, input: { text: 'hello' } })
  expect(created).toMatchObject({ status: 'starting', version, input: { text: 'hello' }, output: null, source: 'api' })
  const done = await replicate.wait(created, { interval: 10 })
  expect(done).toMatchObject({ id: created.id, status: 'succeeded', data_removed: false })
  expect(done.metrics?.predict_time).toBeGreaterThan(0)
  expect(await replicate.predictions.get(created.id)).toEqual(done)
  expect((await replicate.predictions.list()).results.map(each => each.id)).toEqual([created.id])
})

test('deployments can be read, and run too', async () => {
  const { replicate } = await setup()
  const deployment = await replicate.deployments.get('surefoot', 'echo')
  expect(deployment).toMatchObject({
    owner: 'surefoot',
    name: 'echo',
    current_release: { model: 'surefoot/echo', created_by: { type: 'user' }, configuration: { min_instances: 0 } },
  })
  const created = await replicate.deployments.predictions.create('surefoot', 'echo', { input: { text: 'hello' } })
  expect(created).toMatchObject({ deployment: 'surefoot/echo', status: 'starting' })
})

test('cancel ends a running prediction', async () => {
  const { replicate, emulator } = await setup([], { durationMs: 60_000 })
  const created = await replicate.predictions.create({ model: 'surefoot/echo', input: { text: 'hello' } })
  await replicate.predictions.cancel(created.id)
  expect(await replicate.wait(created, { interval: 10 })).toMatchObject({ status: 'canceled', output: null })
  expect(emulator.state().running).toBe(0)
})

test('paginate() walks the whole list, newest first', async () => {
  const { replicate } = await setup([], { createsPerMinute: 60_000 })
  const ids: string[] = []
  for (let index = 0; index < 230; index++)
    ids.push((await replicate.predictions.create({ model: 'surefoot/echo', input: { index } })).id)
  const pages: string[][] = []
  for await (const page of replicate.paginate(replicate.predictions.list)) pages.push(page.map(each => each.id))
  expect(pages.map(page => page.length)).toEqual([100, 100, 30])
  expect(pages.flat()).toEqual(ids.reverse())
})

test('files are created, read, listed and deleted', async () => {
  const { replicate } = await setup()
  const file = await replicate.files.create(photo, { from: 'a test' })
  expect(file).toMatchObject({ content_type: 'image/png', size: 7, metadata: { from: 'a test' } })
  expect(file.checksums.sha256).toMatch(/^[0-9a-f]{64}$/)
  expect(await replicate.files.get(file.id)).toEqual(file)
  expect((await replicate.files.list()).results).toEqual([file])
  expect(await replicate.files.delete(file.id)).toBe(true)
  await expect(replicate.files.get(file.id)).rejects.toThrow('404')
})

test('a file is downloaded by signature alone', async () => {
  const { replicate, origin } = await setup()
  const { id } = await replicate.files.create(photo)
  const expiry = Math.floor(Date.now() / 1000) + 60
  const signature = createHmac('sha256', 'r8_good').update(`me ${id} ${expiry}`).digest('base64')
  const url = (sign: string) =>
    `${origin}/v1/files/${id}/download?owner=me&expiry=${expiry}&signature=${encodeURIComponent(sign)}`
  expect(await (await fetch(url(signature))).text()).toBe('a photo')
  expect((await fetch(url('AAAA'))).status).toBe(403)
})

test('account, hardware, models and versions can be read', async () => {
  const { replicate } = await setup()
  expect(await replicate.accounts.current()).toMatchObject({ type: 'user' })
  expect((await replicate.hardware.list()).map(each => each.sku)).toContain('gpu-l40s')
  const model = await replicate.models.get('surefoot', 'echo')
  const versions = await replicate.models.versions.list('surefoot', 'echo')
  expect(model.latest_version).toEqual(versions.results[0])
  expect(await replicate.models.versions.get('surefoot', 'echo', version)).toMatchObject({ id: version })
})

test('what the emulator does not offer is refused: streams, trainings, collections, new models and deployments', async () => {
  const { replicate, emulator } = await setup()
  const streamed = replicate.stream('surefoot/echo', { input: { text: 'hello' } })
  await expect(streamed.next()).rejects.toThrow('does not support streaming')
  await expect(replicate.trainings.list()).rejects.toThrow('404')
  await expect(replicate.collections.list()).rejects.toThrow('404')
  const asked = { visibility: 'private', hardware: 'cpu' } as const
  await expect(replicate.models.create('surefoot', 'new', asked)).rejects.toThrow('404')
  await expect(replicate.deployments.list()).rejects.toThrow('404')
  expect((await replicate.models.list()).results).toEqual([])
  expect(emulator.state().submits).toBe(1)
})

test('a wrong token is refused everywhere', async () => {
  const { client, emulator } = await setup()
  const stranger = client('r8_bad')
  await expect(stranger.accounts.current()).rejects.toThrow('401')
  await expect(stranger.predictions.create({ model: 'surefoot/echo', input: {} })).rejects.toThrow('401')
  expect(emulator.state().submits).toBe(0)
})

test('what the vendor refuses is refused: no version, stray keys, plain http webhooks', async () => {
  const { replicate } = await setup()
  const create = (body: object) => replicate.request('/predictions', { method: 'POST', data: body })
  await expect(create({ version: 'nonsense', input: {} })).rejects.toThrow('Invalid version or not permitted')
  await expect(create({ version, input: {}, metadata: {} })).rejects.toThrow('Additional property metadata')
  await expect(create({ version, input: 'text' })).rejects.toThrow('422')
  await expect(create({ version, input: {}, webhook: 'http://us.example/' })).rejects.toThrow('HTTPS')
})

test('the rate limit answers 429 with the wait in the body', async () => {
  const { emulator, origin } = await setup([], { createsPerMinute: 6 })
  const create = () =>
    fetch(`${origin}/v1/predictions`, {
      method: 'POST',
      headers: { authorization: 'Bearer r8_good', 'content-type': 'application/json' },
      body: JSON.stringify({ version, input: {} }),
    })
  const first = await create()
  expect([first.status, first.headers.get('ratelimit-remaining')]).toEqual([201, '0'])
  const second = await create()
  expect(second.status).toBe(429)
  expect(await second.json()).toMatchObject({ status: 429, retry_after: expect.any(Number) })
  expect(emulator.state().submits).toBe(1)
})

test("the terminal webhook bears a signature that the vendor's client accepts", async () => {
  const { replicate } = await setup()
  const got = Promise.withResolvers<{ headers: Headers; body: string }>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const headers = new Headers(request.headers as Record<string, string>)
      got.resolve({ headers, body: Buffer.concat(chunks).toString() })
      response.end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => void server.close())
  const { port } = server.address() as { port: number }
  await replicate.predictions.create({
    version,
    input: {},
    webhook: `http://127.0.0.1:${port}/`,
    webhook_events_filter: ['completed'],
  })
  const { headers, body } = await got.promise
  const { key } = await replicate.webhooks.default.secret.get()
  const signed = (text: string) => ({
    id: headers.get('webhook-id') ?? '',
    timestamp: headers.get('webhook-timestamp') ?? '',
    signature: headers.get('webhook-signature') ?? '',
    body: text,
    secret: key,
  })
  expect(JSON.parse(body)).toMatchObject({ status: 'succeeded' })
  expect(await validateWebhook(signed(body))).toBe(true)
  expect(await validateWebhook(signed(`${body} `))).toBe(false)
})

test('a start that is accepted and then cut makes the client pay six times', async () => {
  const { replicate, emulator } = await setup(['accept-then-reset'])
  await expect(replicate.predictions.create({ version, input: {} })).rejects.toThrow('fetch failed')
  expect(emulator.state().submits).toBe(6)
})

test('a status request may stay without an answer while others get theirs', async () => {
  const { origin, replicate, emulator } = await setup(['status-hang'])
  const { id } = await replicate.predictions.create({ version, input: {} })
  const events: string[] = []
  const hung = fetch(`${origin}/v1/predictions/${id}`, { headers: { authorization: 'Bearer r8_good' } })
  const watched = hung.then(
    () => events.push('answered'),
    () => events.push('cut'),
  )
  await replicate.accounts.current()
  events.push('another answered')
  emulator.close()
  await watched
  expect(events).toEqual(['another answered', 'cut'])
})

test('a download that is cut off fails after a part of its bytes', async () => {
  const { replicate } = await setup(['output-truncated@0.5'])
  const output: unknown = await replicate.run('surefoot/echo', {
    input: { photo: new Blob([new Uint8Array(400_000)]) },
  })
  const response = await fetch(String(output))
  expect(response.headers.get('content-length')).toBe('400000')
  await expect(response.bytes()).rejects.toThrow('terminated')
})
