import { expect, test } from 'vitest'
import { createModalEmulator } from '../../emulators/modal/index.ts'
import { createEchoWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { modal } from './index.ts'
import { file, job } from './test-support.ts'

const url = 'https://ws--sharp.modal.run/predict'
const resultUrl = `${url}?__modal_function_call_id=fc-1`

function setup(answer: () => Response | Promise<Response>, options: { proxyKey?: string; proxySecret?: string } = {}) {
  const sent: Request[] = []
  const io = {
    signal: new AbortController().signal,
    async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
      sent.push(new Request(input, init))
      return answer()
    },
  }
  const provider = modal({ mode: 'web', ...options })
  const start = (more: object = {}, target: object = {}) =>
    provider.start(job({ target: { url, ...target }, ...more }), io)
  const poll = async (handle: object = {}) => provider.poll?.({ result: resultUrl, ...handle }, io)
  return { provider, io, sent, start, poll }
}

const redirect = (location: string, status = 303) => new Response(null, { status, headers: { location } })
const text = (status: number, words: string) =>
  new Response(words, { status, headers: { 'content-type': 'text/plain' } })
const page = (status: number) => new Response('<html>', { status, headers: { 'content-type': 'text/html' } })
const splat = () => new Response(new Uint8Array([1, 2]), { headers: { 'content-type': 'application/octet-stream' } })

test('a start is one POST of the input as JSON, with the proxy token, and what comes back is its end', async () => {
  const { start, sent } = setup(splat, { proxyKey: 'wk-1', proxySecret: 'ws-1' })
  expect(await start()).toEqual({
    kind: 'accepted',
    handle: { result: null },
    seen: {
      status: 'succeeded',
      word: '200',
      outputs: [{ kind: 'data', uri: 'data:application/octet-stream;base64,AQI=' }],
    },
  })
  const [request] = sent
  expect([request?.method, request?.url, request?.redirect]).toEqual(['POST', url, 'manual'])
  expect([request?.headers.get('modal-key'), request?.headers.get('modal-secret')]).toEqual(['wk-1', 'ws-1'])
  expect(await request?.json()).toEqual({ focal_length: 30, image: 'data:image/jpeg;base64,QUFB' })
})

test.each([301, 302, 303, 307])(
  'a redirect %d to the place of the result is the handle, also a relative one',
  async status => {
    const { start } = setup(() => redirect('/predict?__modal_function_call_id=fc-1', status))
    expect(await start()).toEqual({
      kind: 'accepted',
      handle: { result: resultUrl },
      seen: { status: 'running', word: String(status) },
    })
  },
)

test.each([
  ['another origin, to which the proxy token would go', 'https://evil.test/?__modal_function_call_id=fc-1'],
  ['a place that is no result', '/login'],
])('a redirect to %s leaves the start open', async (_, location) => {
  expect(await setup(() => redirect(location)).start()).toMatchObject({ kind: 'unknown' })
})

test('the place of the result is asked by GET, which Modal wants, and with the proxy token', async () => {
  const { poll, sent } = setup(splat, { proxyKey: 'wk-1', proxySecret: 'ws-1' })
  expect(await poll()).toMatchObject({ status: 'succeeded' })
  expect([sent[0]?.method, sent[0]?.url, sent[0]?.headers.get('modal-key')]).toEqual(['GET', resultUrl, 'wk-1'])
})

test.each([
  ['303 to itself', () => redirect('/predict?__modal_function_call_id=fc-1')],
  ['408', () => text(408, '')],
])('%s at the place of the result means that it goes on', async (_, answer) => {
  expect(await setup(answer).poll()).toMatchObject({ status: 'running' })
})

test.each([
  ['timed out', 'run_timeout', () => text(500, 'modal-http: internal error: function execution timed out')],
  ['was killed', 'worker_lost', () => text(500, 'modal-http: internal error: function was terminated by signal')],
  ['raised', 'model_error', () => text(500, 'Internal Server Error')],
  ['refused its input', 'input_invalid', () => Response.json({ detail: 'no face' }, { status: 422 })],
  ['does not find something', 'model_error', () => Response.json({ detail: 'no such style' }, { status: 404 })],
  ['ran out of memory', 'out_of_memory', () => Response.json({ detail: 'CUDA out of memory' }, { status: 500 })],
])(
  'a function that %s has ended, whether it is told at the start or at the place of the result',
  async (_, code, answer) => {
    const seen = { status: 'failed', failure: { code } }
    expect(await setup(answer).start()).toMatchObject({ kind: 'accepted', seen })
    expect(await setup(answer).poll()).toMatchObject(seen)
  },
)

test.each([
  [401, () => text(401, 'modal-http: missing credentials for proxy authorization'), 'auth_rejected'],
  [404, () => text(404, 'modal-http: invalid function call'), 'deployment_missing'],
  [404, () => text(404, 'modal-http: workspace ws is disabled'), 'account_locked'],
  [413, () => text(413, ''), 'input_too_large'],
  [429, () => text(429, ''), 'rate_limited'],
])("Modal's own %d is a refusal: nothing was started", async (_, answer, code) => {
  expect(await setup(answer).start()).toMatchObject({ kind: 'rejected', failure: { code } })
})

test.each([
  ['a page with 200', () => page(200)],
  ['a page with 500', () => page(500)],
  ['502', () => page(502)],
  ['408', () => text(408, '')],
  ['409', () => text(409, '')],
  ['an error of Modal without a reason', () => text(500, 'modal-http: internal error')],
  ['an error object with 200', () => Response.json({ error: 'something went wrong' })],
  ['JSON that breaks off', () => new Response('{"url":', { headers: { 'content-type': 'application/json' } })],
  ['a cut connection', () => Promise.reject(new TypeError('fetch failed'))],
])('a start that ends in %s is unknown, and not sent again', async (_, answer) => {
  const { start, sent } = setup(answer)
  expect(await start()).toMatchObject({ kind: 'unknown', failure: { code: 'start_unknown' } })
  expect(sent).toHaveLength(1)
})

test('a 404 at the place of the result is gone: kept too long, or read once before', async () => {
  expect(await setup(() => text(404, 'modal-http: invalid function call')).poll()).toEqual({
    status: 'gone',
    word: '404',
  })
  await expect(setup(() => page(404)).poll()).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
  expect(await setup(splat).poll({ result: null })).toEqual({ status: 'gone', word: 'ANSWERED' })
})

test("our kit's answer names where its upload lands; an empty answer of a stranger has no result", async () => {
  const upload = setup(() => Response.json({ uploaded: true }))
  expect(await upload.start({}, { kit: true })).toMatchObject({
    handle: { result: null, stored: 'uploads/attempt-1/output' },
    seen: { outputs: [{ kind: 'stored', key: 'uploads/attempt-1/output' }] },
  })
  expect(await setup(() => Response.json({})).start()).toMatchObject({ seen: { status: 'succeeded', outputs: [] } })
  expect(await setup(() => new Response(null)).start()).toMatchObject({ seen: { status: 'succeeded', outputs: [] } })
})

test('an answer that is larger than we hold in memory is too large, not endless', async () => {
  const chunk = new Uint8Array(1024 * 1024)
  const endless = () =>
    new Response(new ReadableStream({ pull: controller => controller.enqueue(chunk) }), {
      headers: { 'content-type': 'application/octet-stream' },
    })
  expect(await setup(endless).start()).toMatchObject({ seen: { failure: { code: 'output_too_large' } } })
})

test('files go by signed link where there is one, and plain http only to an emulator on this machine', async () => {
  const image = file(3, 'http://127.0.0.1/photo')
  const vendor = setup(splat)
  await vendor.start({ files: { image } })
  expect(await vendor.sent[0]?.json()).toMatchObject({ image: 'data:image/jpeg;base64,QUFB' })
  const emulator = setup(splat)
  await emulator.start({ files: { image } }, { url: 'http://127.0.0.1:9001/web/sharp' })
  expect(await emulator.sent[0]?.json()).toMatchObject({ image: 'http://127.0.0.1/photo' })
})

test('a connection is held until the first redirect after 150 s; then each question is held likewise, until the result', async () => {
  const clock = createSimulatedClock()
  const work = createEchoWork({ clock, durationMs: 200_000 })
  const emulator = createModalEmulator({ clock, random: createRandom(1), work, bootMs: 0, answers: 'inline' })
  const provider = modal({ mode: 'web' })
  const io = {
    signal: new AbortController().signal,
    fetch: (input: string | URL | Request, init?: RequestInit) => emulator.fetch(new Request(input, init)),
  }
  const began = clock.now()
  const after = async <T>(answer: Promise<T>) => ({ answer: await answer, ms: clock.now() - began })
  const starting = after(provider.start(job({ target: { url: 'http://127.0.0.1:1/web/sharp' } }), io))
  await clock.advance(150_000)
  const { answer, ms } = await starting
  expect(ms).toBe(150_000)
  expect(answer).toMatchObject({ kind: 'accepted', seen: { status: 'running', word: '303' } })
  if (answer.kind !== 'accepted' || provider.poll === undefined) throw new Error('not accepted')
  const polling = after(provider.poll(answer.handle, io))
  await clock.advance(60_000)
  expect(await polling).toMatchObject({ answer: { status: 'succeeded' }, ms: 200_300 })
  expect(emulator.state().submits).toBe(1)
  emulator.close()
})

test('a start is held, and tells nothing of its cost', () => {
  const { provider } = setup(splat)
  expect(provider.limits.heldStart).toBe(true)
  expect(provider.cost({ status: 'succeeded', word: '200' }, { url, hardware: 'h100' })).toBeNull()
  expect(provider.pricePerSecond({ url, hardware: 'h100' })).toBe(0.001097)
  expect(provider.cancel).toBeUndefined()
})

test.each([
  [{ url: 'http://ws--sharp.modal.run' }, 'url: must be https'],
  [{}, 'url: '],
  [{ url, app: 'sharp' }, 'Unrecognized key: "app"'],
])('refuses the target %j and says why', (target, words) => {
  expect(() => modal({ mode: 'web' }).parseTarget(target)).toThrow(words)
})
