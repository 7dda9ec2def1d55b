import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSimulatedClock, settle } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { createEchoWork } from '../works.ts'
import { type BasetenEmulatorOptions, createBasetenEmulator } from './index.ts'

type Body = Record<string, unknown>

function setup(more: Partial<BasetenEmulatorOptions> = {}, receiver: () => Response = () => new Response('')) {
  const clock = createSimulatedClock()
  const began = clock.now()
  const heard: { at: number; method: string; path: string; headers: Headers; text: string }[] = []
  const emulator = createBasetenEmulator({
    clock,
    random: createRandom(1),
    work: createEchoWork({ clock, durationMs: 10_000 }),
    async send(input, init) {
      const request = new Request(input, { ...init, duplex: 'half' } as RequestInit)
      const { method, headers, url } = request
      heard.push({ at: clock.now() - began, method, path: new URL(url).pathname, headers, text: await request.text() })
      return receiver()
    },
    ...more,
  })
  async function call(method: string, path: string, content?: unknown, signal?: AbortSignal) {
    const request = new Request(`https://baseten.test/model-m1/${path}`, {
      method,
      headers: { authorization: 'Api-Key any' },
      ...(content === undefined ? {} : { body: JSON.stringify(content) }),
      ...(signal === undefined ? {} : { signal }),
    })
    const response = await emulator.fetch(request)
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body }
  }
  const run = async (content: object = {}) => {
    const body = { model_input: { text: 'hi' }, webhook_endpoint: 'https://us.test/hook', ...content }
    return String((await call('POST', 'production/async_predict', body)).body.request_id)
  }
  const status = (id: string) => call('GET', `async_request/${id}`)
  const word = async (id: string) => (await status(id)).body.status
  const queue = async () => {
    const { body } = await call('GET', 'production/async_queue_status')
    return [body.num_queued_requests, body.num_in_progress_requests]
  }
  return { clock, emulator, heard, call, run, status, word, queue }
}

const once = { inference_retry_config: { max_attempts: 1 } }

test('queued until a replica has started, in progress until worked and posted, then succeeded, to the millisecond', async () => {
  const { clock, run, status, word } = setup()
  const id = await run()
  const seen: unknown[] = []
  for (const ms of [1999, 1, 10_299, 1]) {
    await clock.advance(ms)
    seen.push(await word(id))
  }
  expect(seen).toEqual(['QUEUED', 'IN_PROGRESS', 'IN_PROGRESS', 'SUCCEEDED'])
  const { body } = await status(id)
  expect(Date.parse(String(body.status_at)) - Date.parse(String(body.created_at))).toBe(12_300)
  expect(body).toMatchObject({ request_id: id, model_id: 'm1', webhook_status: 'PENDING', errors: [] })
  expect(JSON.stringify(body)).not.toContain('hi')
})

test('the result comes by one webhook and never by status; every secret of the workspace signs it', async () => {
  const { clock, run, heard, status } = setup({ webhookSecrets: ['whsec_new', 'whsec_old'], answers: 'inline' })
  const id = await run()
  await clock.advance(13_000)
  const [webhook] = heard
  expect(heard).toHaveLength(1)
  expect(JSON.parse(webhook?.text ?? '')).toMatchObject({
    request_id: id,
    type: 'async_request_completed',
    data: { file: expect.stringMatching(/^data:/) },
    errors: [],
  })
  const by = (secret: string) =>
    `v1=${createHmac('sha256', secret)
      .update(webhook?.text ?? '')
      .digest('hex')}`
  expect(webhook?.headers.get('x-baseten-signature')).toBe(`${by('whsec_new')},${by('whsec_old')}`)
  expect(webhook?.headers.get('x-baseten-request-id')).toBe(id)
  expect((await status(id)).body).toMatchObject({ status: 'SUCCEEDED', webhook_status: 'SUCCEEDED' })
})

test.each([
  [503, [12_301, 14_301]],
  [500, [12_301, 14_301]],
  [404, [12_301]],
  [302, [12_301]],
])('a webhook answered with %d is tried at %j, and the result is gone', async (answer, tries) => {
  const { clock, run, heard, status } = setup({}, () => new Response(null, { status: answer }))
  const id = await run()
  await clock.advance(120_000)
  expect(heard.map(({ at }) => at)).toEqual(tries)
  expect((await status(id)).body).toMatchObject({ status: 'WEBHOOK_FAILED', webhook_status: 'FAILED' })
})

test('a receiver that does not answer is given ten seconds, twice', async () => {
  const { clock, run, heard, word } = setup({ send: (_, init) => silent(init, heard, clock.now) })
  const id = await run()
  await clock.advance(12_301 + 10_000 + 2_000 + 9_999)
  expect([heard.length, await word(id)]).toEqual([2, 'SUCCEEDED'])
  await clock.advance(1)
  expect(await word(id)).toBe('WEBHOOK_FAILED')
})

function silent(init: RequestInit | undefined, heard: object[], now: () => number): Promise<never> {
  heard.push({ at: now() })
  return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
}

test('a request without a webhook says so, and its result is gone', async () => {
  const { clock, run, status } = setup()
  const id = await run({ webhook_endpoint: undefined })
  await clock.advance(13_000)
  expect((await status(id)).body).toMatchObject({ status: 'SUCCEEDED', webhook_status: 'NO_WEBHOOK_PROVIDED' })
})

test('a status is known for an hour after the end', async () => {
  const { clock, run, status } = setup()
  const id = await run()
  await clock.advance(12_300 + 3_600_000 - 1)
  expect((await status(id)).status).toBe(200)
  await clock.advance(1)
  expect((await status(id)).status).toBe(404)
})

test('only what is queued can be cancelled; anything else says no and changes nothing', async () => {
  const { clock, run, call, word, status } = setup({ maxReplicas: 1 })
  const [first, second] = [await run(), await run()]
  await clock.advance(2000)
  const cancel = async (id: string) => (await call('DELETE', `async_request/${id}`)).body.canceled
  expect([await cancel(first), await cancel(second), await cancel(second)]).toEqual([false, true, false])
  expect((await status(second)).body).toMatchObject({ status: 'CANCELED', webhook_status: 'CANCELED' })
  await clock.advance(10_300)
  expect([await word(first), await cancel(first)]).toEqual(['SUCCEEDED', false])
})

test('what no replica takes in time expires', async () => {
  const { clock, run, word } = setup({ bootMs: 60_000 })
  const [short, byDefault] = [await run({ max_time_in_queue_seconds: 10 }), await run()]
  await clock.advance(9_999)
  expect(await word(short)).toBe('QUEUED')
  await clock.advance(1)
  expect([await word(short), await word(byDefault)]).toEqual(['EXPIRED', 'QUEUED'])
})

test('replicas scale from zero to the maximum, by priority, and all of it is billed, idling too', async () => {
  const { clock, emulator, run, queue, word } = setup({ maxReplicas: 1, idleMs: 60_000 })
  const low = await run({ priority: 2 })
  const high = await run({ priority: 0 })
  expect(await queue()).toEqual([2, 0])
  await clock.advance(2000)
  expect(await queue()).toEqual([1, 1])
  expect([await word(low), await word(high)]).toEqual(['QUEUED', 'IN_PROGRESS'])
  await clock.advance(20_600)
  expect(await queue()).toEqual([0, 0])
  await clock.advance(600_000)
  const billed = emulator.state().ledger.map(({ billedMs }) => billedMs)
  expect(billed.reduce((sum, ms) => sum + ms, 0)).toBe(2000 + 2 * 10_300 + 60_000)
})

test('a replica that was started for a request which another one took meanwhile starts, idles and stops like any other', async () => {
  const { clock, emulator, run } = setup({ maxReplicas: 2, idleMs: 60_000, faults: ['boot-slow@100*1'] })
  await run()
  await run()
  await clock.advance(3_600_000)
  const billed = emulator.state().ledger.map(({ billedMs }) => billedMs)
  // The fast one boots, works twice and idles; the slow one boots and idles.
  expect(billed.reduce((sum, ms) => sum + ms, 0)).toBe(2000 + 2 * 10_300 + 60_000 + 100_000 + 60_000)
  emulator.close()
  expect(clock.waiting).toBe(0)
})

test('a request whose caller did not say otherwise is run three times, and billed for each', async () => {
  const { clock, run, emulator, word, status } = setup({ faults: ['model-error@1'] })
  const thrice = await run()
  await clock.advance(2000 + 10_000)
  // One second to the second try, two to the third: in progress all the time.
  await clock.advance(1000 + 10_000 + 2000 + 9_999)
  expect(await word(thrice)).toBe('IN_PROGRESS')
  await clock.advance(1)
  expect((await status(thrice)).body).toMatchObject({
    status: 'FAILED',
    errors: [{ code: 'MODEL_PREDICT_ERROR', message: 'Internal Server Error (in model/chainlet).' }],
  })
  expect(emulator.state().ledger[0]?.billedMs).toBe(2000 + 33_000)
})

test('one attempt is one execution', async () => {
  const { clock, run, word } = setup({ faults: ['model-error@1'] })
  const id = await run(once)
  await clock.advance(12_000)
  expect(await word(id)).toBe('FAILED')
})

test('a container that dies is one more execution whatever the caller said, because the router tries again', async () => {
  const { clock, run, word, status } = setup({ faults: ['oom@0.5'] })
  const id = await run(once)
  await clock.advance(2000 + 5000 + 500 + 4_999)
  expect(await word(id)).toBe('IN_PROGRESS')
  await clock.advance(1)
  expect((await status(id)).body).toMatchObject({ errors: [{ message: 'Error making prediction' }] })
})

test('predict holds the connection until the model has answered, and runs on when its caller hangs up', async () => {
  const { clock, call, emulator } = setup({ answers: 'inline' })
  const held = call('POST', 'production/predict', { text: 'hi' })
  await clock.advance(12_300)
  const { status, headers, body } = await held
  expect([status, body]).toEqual([200, { file: expect.stringMatching(/^data:/) }])
  expect(headers.get('x-baseten-request-id')).toBe(emulator.state().ledger[0]?.id)

  const stop = new AbortController()
  const cut = call('POST', 'production/predict', { text: 'hi' }, stop.signal)
  await settle()
  stop.abort(new Error('gone'))
  await expect(cut).rejects.toThrow('gone')
  await clock.advance(5_000)
  expect(emulator.state()).toMatchObject({ submits: 2, running: 1 })
  await clock.advance(10_000)
  expect(emulator.state().running).toBe(0)
})

test.each([
  ['model-error', 500, '600'],
  ['oom', 502, null],
  ['not-ready', 503, null],
  ['timed-out@run', 504, null],
  ['timed-out@queue', 500, null],
])('predict under %s answers %d', async (fault, status, errorCode) => {
  const { clock, call } = setup({ faults: [fault] })
  const held = call('POST', 'production/predict', {})
  await clock.advance(60_000)
  const answer = await held
  expect([answer.status, answer.headers.get('x-baseten-error-code')]).toEqual([status, errorCode])
})

test('a deployment that is switched off answers 404 to everything until it is switched on again', async () => {
  const { clock, run, call, status } = setup({ faults: ['deactivated*1'] })
  const id = await run()
  await clock.advance(2000 + 5000)
  const all = ['production/async_queue_status', `async_request/${id}`]
  for (const path of all) expect((await call('GET', path)).status).toBe(404)
  expect((await call('POST', 'production/async_predict', { model_input: {} })).status).toBe(404)
  await clock.advance(60_000)
  expect((await status(id)).body.status).toBe('CANCELED')
  expect((await call('POST', 'production/async_predict', { model_input: {} })).status).toBe(201)
})

test.each([
  ['no JSON', 'production/async_predict', 'nonsense', 400],
  ['no input', 'production/async_predict', {}, 400],
  [
    'a webhook over plain http',
    'production/async_predict',
    { model_input: {}, webhook_endpoint: 'http://x.test' },
    400,
  ],
  ['a queue time out of bounds', 'production/async_predict', { model_input: {}, max_time_in_queue_seconds: 9 }, 400],
  ['a priority that is none', 'production/async_predict', { model_input: {}, priority: 3 }, 400],
  [
    'attempts out of bounds',
    'production/async_predict',
    { model_input: {}, inference_retry_config: { max_attempts: 11 } },
    400,
  ],
  ['more than 256 KiB', 'production/async_predict', { model_input: { text: 'x'.repeat(262_144) } }, 413],
  ['a place that is none', 'staging/async_predict', { model_input: {} }, 404],
] as const)('a start with %s is refused', async (_, path, content, status) => {
  const { call, emulator } = setup()
  expect((await call('POST', path, content)).status).toBe(status)
  expect(emulator.state().submits).toBe(0)
})

test.each(['production', 'development', 'environments/staging', 'deployment/d1'])(
  'each deployment has a queue of its own: %s',
  async place => {
    const { call, queue } = setup()
    expect((await call('POST', `${place}/async_predict`, { model_input: {} })).status).toBe(201)
    expect(await queue()).toEqual([place === 'production' ? 1 : 0, 0])
  },
)

test('keys come in two forms, and only the right one is let in', async () => {
  const { emulator } = setup({ apiKey: 'good' })
  const ask = async (authorization: string) => {
    const request = new Request('https://baseten.test/model-m1/production/async_queue_status', {
      headers: { authorization },
    })
    return (await emulator.fetch(request)).status
  }
  expect([await ask('Api-Key good'), await ask('Bearer good'), await ask('Api-Key bad'), await ask('good')]).toEqual([
    200, 200, 401, 401,
  ])
})

test('20 status calls a second, then 429 with the time to wait', async () => {
  const { run, status, clock } = setup()
  const id = await run()
  for (let calls = 0; calls < 20; calls++) expect((await status(id)).status).toBe(200)
  const refused = await status(id)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1'])
  await clock.advance(1000)
  expect((await status(id)).status).toBe(200)
})

test('a wake starts a replica where there is none, which is billed from then on, and the next request finds it', async () => {
  const { clock, emulator, run, word } = setup()
  const post = (path: string) =>
    emulator.fetch(
      new Request(`https://baseten.test/${path}`, { method: 'POST', headers: { authorization: 'Api-Key any' } }),
    )
  const replicas = async () => {
    const request = new Request('https://baseten.test/v1/models/m1/deployments/production', {
      headers: { authorization: 'Api-Key any' },
    })
    const { status, active_replica_count: active } = (await (await emulator.fetch(request)).json()) as Body
    return [status, active]
  }
  expect(await replicas()).toEqual(['SCALED_TO_ZERO', 0])
  expect((await post('model-m1/production/wake')).status).toBe(202)
  await post('model-m1/production/wake')
  await clock.advance(2000)
  expect(await replicas()).toEqual(['ACTIVE', 1])
  await clock.advance(58_000)
  expect(emulator.state()).toMatchObject({ submits: 0, running: 0, ledger: [{ status: 'WOKEN', billedMs: 60_000 }] })
  const id = await run()
  await clock.advance(0)
  expect(await word(id)).toBe('IN_PROGRESS')
  await clock.advance(910_000 + 2_000)
  expect(await replicas()).toEqual(['SCALED_TO_ZERO', 0])
  emulator.close()
})
