import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import Replicate, { validateWebhook } from 'replicate'
import { describe, expect, onTestFinished, test } from 'vitest'
import { refuse } from '../core/failure.ts'
import { defaultPolicy } from '../core/policy.ts'
import type { WebhookEvent } from '../core/prediction.ts'
import { systemClock } from '../engine/clock.ts'
import type { Engine, Route } from '../engine/contract.ts'
import { createEngine } from '../engine/engine.ts'
import type { OutsidePost } from '../files/contract.ts'
import { createOutsidePost } from '../files/outside-post.ts'
import { createSigner } from '../files/signing.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { createSimulatedClock, type SimulatedClock } from '../testing/clock.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { createScriptedProvider, plainScript, type Script } from '../testing/scripted-provider.ts'
import { textModel } from '../testing/text-model.ts'
import { createApp } from './app.ts'
import type { PredictionJson } from './shapes.ts'
import { createWebhookSender, toWebhookKey } from './webhooks-out.ts'

const hook = 'https://receiver.example/hook?token=t'
const origin = 'http://127.0.0.1:8787'
const noLinks = { input: () => null, upload: () => null, webhook: () => null }

interface Delivery {
  readonly at: number
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  readonly body: string
  readonly prediction: PredictionJson
}

/** The real engine on simulated time, whose webhooks a made-up receiver gets: it answers what `answer` says. */
async function setup({
  script = plainScript,
  clock = createSimulatedClock(),
}: {
  script?: Script
  clock?: SimulatedClock
} = {}) {
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const provider = createScriptedProvider({ clock, script: () => script })
  const deployment = { name: 'text@scripted', providerName: 'scripted', provider, target: {}, concurrency: 64 }
  const routes = new Map<string, Route>([
    [textModel.name, { model: textModel, deployments: [deployment], policy: defaultPolicy }],
  ])
  const files = createMemoryFiles()
  const deliveries: Delivery[] = []
  const logged: string[] = []
  const receiver: { answer: (signal: AbortSignal) => Promise<number> } = { answer: async () => 204 }
  const outside: OutsidePost = {
    check: url => (url.startsWith('http://10.') ? refuse('input_invalid', 'That is private.') : undefined),
    post(url, { headers, body, signal }) {
      deliveries.push({ at: clock.now(), url, headers, body, prediction: JSON.parse(body) })
      return receiver.answer(signal)
    },
  }
  const secret = await store.secret('webhooks')
  const signer = createSigner('a secret for tests')
  let ids = 0
  let engine: Engine

  async function boot(): Promise<Engine> {
    const log = (_level: string, message: string, fields = {}) =>
      void logged.push(JSON.stringify({ message, ...fields }))
    const sender = createWebhookSender({ secret, outside, signer, clock, routes, origin: () => origin, log })
    engine = createEngine({
      name: `engine-${++ids}`,
      alone: true,
      store,
      files,
      download: () => Promise.reject(new Error('nothing is downloaded here')),
      routes,
      links: noLinks,
      serverKey: 'another secret for tests',
      clock,
      random: () => 0.5,
      newId: () => `id${++ids}`,
      fetch: () => Promise.reject(new Error('nothing is fetched here')),
      notify: sender.send,
      checkWebhook: sender.check,
      log,
    })
    await engine.start()
    return engine
  }

  engine = await boot()
  onTestFinished(async () => {
    await engine.stop()
    await store.close()
  })
  const create = (events: readonly WebhookEvent[] = ['start', 'completed'], url = hook) =>
    engine.create({
      model: textModel.name,
      owner: 'local',
      source: 'api',
      input: {},
      files: {},
      cancelAfterMs: null,
      webhook: { url, events },
    })
  const get = async (id: string) => (await engine.get(id))?.record
  return {
    clock,
    store,
    deliveries,
    logged,
    receiver,
    secret,
    boot,
    create,
    get,
    resend: (id: string) => engine.resend(id),
    stop: () => engine.stop(),
  }
}

const seconds = 1_000
const minutes = 60 * seconds

describe('webhooks', () => {
  test("carry the prediction as GET shows it, signed so that the published client's validateWebhook takes it", async () => {
    const { clock, create, deliveries, secret } = await setup()
    const { record } = await create(['completed'])
    await clock.advance(10 * seconds)
    expect(deliveries).toHaveLength(1)
    const [{ url, headers, body, prediction } = refuse('internal', 'nothing came')] = deliveries
    expect(url).toBe(hook)
    expect(prediction).toMatchObject({
      id: record.id,
      status: 'succeeded',
      webhook: hook,
      webhook_events_filter: ['completed'],
      urls: { get: `${origin}/v1/predictions/${record.id}` },
    })
    expect(prediction.output).toMatch(/^http:\/\/127\.0\.0\.1:8787\/v1\/outputs\/\w+\/text\.txt\?expiry=\d+&signature=/)
    expect(Number(headers['webhook-timestamp'])).toBe(Math.floor((deliveries[0]?.at ?? 0) / 1000))
    const isGood = (over: Readonly<Record<string, string>> = {}, text = body, key = toWebhookKey(secret)) =>
      validateWebhook(new Request(hook, { method: 'POST', headers: { ...headers, ...over }, body: text }), key)
    expect(await isGood()).toBe(true)
    expect(await isGood({}, `${body} `)).toBe(false)
    expect(await isGood({ 'webhook-id': 'other' })).toBe(false)
    expect(await isGood({ 'webhook-timestamp': '1' })).toBe(false)
    expect(await isGood({}, body, 'whsec_b3RoZXI=')).toBe(false)
  })

  test.each<[readonly WebhookEvent[], Script['end'], readonly string[]]>([
    [['start', 'completed'], 'succeeded', ['processing', 'succeeded']],
    [['start'], 'succeeded', ['processing']],
    [['completed'], 'failed', ['failed']],
    [['output', 'completed'], 'succeeded', ['succeeded']],
    [['output'], 'succeeded', ['succeeded']],
    [['output'], 'failed', []],
    [['start', 'output', 'completed'], 'succeeded', ['processing', 'succeeded']],
  ])('of %j go out, in order, when it %s: %j', async (events, end, statuses) => {
    const { clock, create, deliveries, get } = await setup({ script: { ...plainScript, end } })
    const { record } = await create(events)
    await clock.advance(5 * minutes)
    expect(deliveries.map(({ prediction }) => prediction.status)).toEqual(statuses)
    expect(new Set(deliveries.map(({ headers }) => headers['webhook-id'])).size).toBe(statuses.length)
    expect((await get(record.id))?.settledAt).not.toBe(null)
  })

  test('are tried again after 5 s, 5 min and 30 min under one id, each with its own timestamp', async () => {
    const { clock, create, deliveries, receiver, logged, get } = await setup()
    receiver.answer = async () => 503
    const { record } = await create(['completed'])
    await clock.advance(3 * seconds)
    for (const wait of [5 * seconds, 5 * minutes, 30 * minutes]) {
      const tries = deliveries.length
      await clock.advance((deliveries.at(-1)?.at ?? 0) + wait - clock.now() - 1)
      expect(deliveries).toHaveLength(tries)
      await clock.advance(1)
      expect(deliveries).toHaveLength(tries + 1)
    }
    expect(deliveries).toHaveLength(4)
    expect(new Set(deliveries.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(deliveries.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(4)
    expect(await get(record.id)).toMatchObject({
      webhook: { queue: [{ state: 'waiting', tries: 4 }] },
      settledAt: null,
    })
    expect(logged.filter(line => line.includes('not taken'))).toHaveLength(4)
    expect(logged.join()).not.toContain('token')
  })

  test.each<[string, () => Promise<number>]>([
    ['a redirect', async () => 307],
    ['a refusal', async () => 410],
    ['a network that fails', () => Promise.reject(new Error('ECONNREFUSED'))],
  ])('count %s as not delivered', async (_, answer) => {
    const { clock, create, deliveries, receiver } = await setup()
    receiver.answer = answer
    await create(['completed'])
    await clock.advance(3 * seconds)
    expect(deliveries).toHaveLength(1)
    receiver.answer = async () => 200
    await clock.advance(10 * seconds)
    expect(deliveries).toHaveLength(2)
  })

  test('wait for the one before: the end is not told before the start', async () => {
    const { clock, create, deliveries, receiver } = await setup()
    receiver.answer = async () => 500
    await create()
    await clock.advance(4 * seconds)
    expect(deliveries).toHaveLength(1)
    receiver.answer = async () => 200
    await clock.advance(5 * seconds)
    const [first, again, last] = deliveries.map(({ headers }) => headers['webhook-id'])
    expect(deliveries).toHaveLength(3)
    expect(again).toBe(first)
    expect(last).not.toBe(first)
  })

  test('to a receiver that never answers are cut after 15 s, and delay no prediction', async () => {
    const { clock, create, receiver, get, deliveries } = await setup()
    const cut: number[] = []
    receiver.answer = signal =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          cut.push(clock.now())
          reject(signal.reason)
        })
      })
    const created = await Promise.all(Array.from({ length: 20 }, () => create()))
    await clock.advance(10 * seconds)
    const records = await Promise.all(created.map(({ record }) => get(record.id)))
    expect(records.map(record => record?.status)).toEqual(created.map(() => 'succeeded'))
    expect(
      records.map(record => (record?.completedAt ?? Infinity) - (record?.createdAt ?? 0) < 3 * seconds),
    ).not.toContain(false)
    expect(cut).toEqual([])
    await clock.advance(10 * seconds)
    expect(cut).toEqual(deliveries.slice(0, 20).map(({ at }) => at + 15 * seconds))
    receiver.answer = async () => 200
    await clock.advance(15 * seconds)
  })

  test('of logs tell progress while it works, each once and in order, and the end is the last', async () => {
    const { clock, create, deliveries } = await setup({ script: { ...plainScript, endAt: 20 * seconds } })
    await create(['logs', 'completed'])
    await clock.advance(30 * seconds)
    const shares = deliveries.map(({ prediction }) => prediction.surefoot.progress?.fraction ?? 0)
    expect(deliveries.length).toBeGreaterThan(5)
    expect(shares).toEqual(shares.toSorted((one, other) => one - other))
    const times = deliveries.map(({ at }) => at)
    for (const [index, at] of times.slice(1, -1).entries()) expect(at - (times[index] ?? 0)).toBeGreaterThanOrEqual(500)
    expect(deliveries.map(({ prediction }) => prediction.status).at(-1)).toBe('succeeded')
    expect(new Set(deliveries.map(({ headers }) => headers['webhook-id'])).size).toBe(deliveries.length)
  })

  test('to a receiver that hangs for every event delay no prediction, whatever is asked for', async () => {
    const { clock, create, receiver, get } = await setup()
    receiver.answer = signal =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    const slow = await Promise.all(Array.from({ length: 30 }, () => create(['start', 'output', 'logs', 'completed'])))
    await clock.advance(3 * seconds)
    const records = await Promise.all(slow.map(({ record }) => get(record.id)))
    expect(records.filter(record => record?.status === 'succeeded')).toHaveLength(30)
    receiver.answer = async () => 200
    await clock.advance(120 * minutes)
    for (const { record } of slow) expect((await get(record.id))?.settledAt).not.toBe(null)
  })

  test('that are dead can be sent again later, under the same id, and are settled then', async () => {
    const { clock, create, deliveries, receiver, get, resend, boot, stop, store } = await setup()
    receiver.answer = async () => 503
    const { record } = await create(['completed'])
    await clock.advance(3 * seconds)
    await stop()
    // As the last of its tries leaves it.
    const stored = (await store.get(record.id)) ?? refuse('internal', 'It is gone.')
    const { webhook } = stored.record
    const queue = webhook?.queue.map(entry => ({ ...entry, state: 'dead' as const, tries: 8, pending: null })) ?? []
    const dead = { ...stored.record, webhook: webhook && { ...webhook, queue }, settledAt: clock.now() }
    await store.commit([{ ...stored, record: dead, nextAt: null, reservations: [], lease: 'unchanged' }])
    await boot()
    await clock.advance(60 * minutes)
    expect(deliveries).toHaveLength(1)
    receiver.answer = async () => 200
    await resend(record.id)
    await clock.advance(seconds)
    expect(deliveries).toHaveLength(2)
    expect(deliveries[1]?.headers['webhook-id']).toBe(deliveries[0]?.headers['webhook-id'])
    expect(await get(record.id)).toMatchObject({ webhook: { queue: [{ state: 'delivered', tries: 1 }] } })
    expect((await get(record.id))?.settledAt).toBe(deliveries[1]?.at)
    expect(await store.list({ owner: 'local', webhook: 'dead', limit: 9 })).toHaveLength(0)
  })

  test('go on after a restart, under the same id', async () => {
    const { clock, create, deliveries, receiver, boot, stop, get } = await setup()
    receiver.answer = async () => 503
    const { record } = await create(['completed'])
    await clock.advance(3 * seconds)
    await stop()
    await clock.advance(60 * minutes)
    expect(deliveries).toHaveLength(1)
    receiver.answer = async () => 200
    await boot()
    await clock.advance(10 * seconds)
    expect(deliveries).toHaveLength(2)
    expect(deliveries[1]?.headers['webhook-id']).toBe(deliveries[0]?.headers['webhook-id'])
    expect(await get(record.id)).toMatchObject({ webhook: { queue: [{ state: 'delivered', tries: 2 }] } })
  })

  test('to an address that can be seen to be private are refused when asked for, and nothing is stored', async () => {
    const { create, store } = await setup()
    await expect(create(['completed'], 'http://10.0.0.1/hook')).rejects.toMatchObject({
      failure: {
        code: 'input_invalid',
        message: 'webhook: That is private. Name its origin in webhookOrigins of the config.',
      },
    })
    expect(await store.list({ owner: null, limit: 1 })).toEqual([])
  })
})

describe('webhooks over HTTP', () => {
  /** The front as it is served, on real time, and a receiver on loopback whose origin is trusted or not. */
  async function setupHttp({ isTrusted }: { isTrusted: boolean }) {
    const received = Promise.withResolvers<Request>()
    const server = createServer(async (request, response) => {
      const body = await text(request)
      const headers = new Headers(request.headers as Record<string, string>)
      received.resolve(new Request('http://receiver.test/', { method: 'POST', headers, body }))
      response.writeHead(200).end('thanks')
    }).listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const receiver = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const store = await openSqliteStore({ path: ':memory:' })
    const provider = createScriptedProvider({
      clock: systemClock,
      script: () => ({ ...plainScript, endAt: 0 }),
      pollMs: 5,
    })
    const deployment = { name: 'text@scripted', providerName: 'scripted', provider, target: {}, concurrency: 4 }
    const routes = new Map([[textModel.name, { model: textModel, deployments: [deployment], policy: defaultPolicy }]])
    const files = createMemoryFiles()
    const signer = createSigner('a secret for tests')
    const log = () => {}
    const sender = createWebhookSender({
      secret: await store.secret('webhooks'),
      outside: createOutsidePost({ trustedOrigins: isTrusted ? [receiver] : [] }),
      signer,
      clock: systemClock,
      routes,
      origin: () => origin,
      log,
    })
    let ids = 0
    const engine = createEngine({
      name: 'test',
      alone: true,
      store,
      files,
      download: () => Promise.reject(new Error('nothing is downloaded here')),
      routes,
      links: noLinks,
      serverKey: 'another secret for tests',
      clock: systemClock,
      random: () => 0.5,
      newId: () => `id${++ids}`,
      fetch: () => Promise.reject(new Error('nothing is fetched here')),
      notify: sender.send,
      checkWebhook: sender.check,
      log,
    })
    await engine.start()
    onTestFinished(async () => {
      await engine.stop()
      await store.close()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    })
    const allowedHosts = ['127.0.0.1:8787']
    const publicUrl = null
    const app = createApp({
      engine,
      store,
      files,
      signer,
      clock: systemClock,
      publicUrl,
      studio: null,
      allowedHosts,
      log,
    })
    const replicate = new Replicate({
      auth: 'any',
      baseUrl: `${origin}/v1`,
      fetch: async (url: string | URL | Request, init?: RequestInit) => app.fetch(new Request(url, init)),
    })
    const post = (body: object) =>
      app.fetch(
        new Request(`${origin}/v1/models/${textModel.name}/predictions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
      )
    return { replicate, post, receiver, received: received.promise, store }
  }

  test('the published client asks for one, gets the key, and finds the signature good', async () => {
    const { replicate, receiver, received } = await setupHttp({ isTrusted: true })
    const webhook = `${receiver}/hook`
    const created = await replicate.predictions.create({ model: textModel.name, input: {}, webhook })
    const { key } = await replicate.webhooks.default.secret.get()
    expect(key).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const request = await received
    expect(await validateWebhook(request.clone(), key)).toBe(true)
    expect(await request.json()).toMatchObject({ id: created.id, status: 'succeeded', webhook })
  })

  test.each<[string, object]>([
    ['a receiver on this machine that the config does not name', {}],
    ['a receiver by its name', { webhook: 'http://localhost:3000/hook' }],
    ['a receiver in the metadata service', { webhook: 'http://169.254.169.254/latest' }],
    ['a webhook that is no URL', { webhook: 'hook' }],
    ['an unknown event', { webhook: 'https://receiver.example/', webhook_events_filter: ['started'] }],
  ])('%s is refused at once as input_invalid (422)', async (_, over) => {
    const { post, receiver, store } = await setupHttp({ isTrusted: false })
    const response = await post({ input: {}, webhook: `${receiver}/hook`, ...over })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: 'input_invalid', detail: expect.stringMatching(/^webhook/) })
    expect(await store.list({ owner: null, limit: 1 })).toEqual([])
  })
})
