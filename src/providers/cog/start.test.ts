import { expect, test } from 'vitest'
import type { Job, JobFile } from '../contract.ts'
import { withProof } from '../kit.ts'
import { type CogOptions, cog } from './index.ts'

interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly text: string
}

/** A provider whose requests are noted and answered in order. */
function setup(answers: (() => Response)[], options: Partial<CogOptions> = {}) {
  const sent: Sent[] = []
  const io = {
    signal: new AbortController().signal,
    async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
      const request = new Request(input, init)
      sent.push({ method: request.method, url: request.url, headers: request.headers, text: await request.text() })
      const answer = answers.shift()
      if (answer === undefined) throw new Error('one request too many')
      return answer()
    },
  }
  const provider = cog({ baseUrl: 'https://cog.test', ...options })
  const body = () => JSON.parse(sent[0]?.text ?? '{}') as Record<string, unknown>
  const calls = () => sent.map(({ method, url }) => `${method} ${new URL(url).pathname}`)
  return { provider, io, sent, body, calls }
}

const started = () => Response.json({ id: 'attempt-1', status: 'starting' }, { status: 202 })

function file(bytes: number, url: string | null = null): JobFile {
  const open = async () => new Blob([new Uint8Array(bytes).fill(65)]).stream()
  return { name: 'photo.jpg', mediaType: 'image/jpeg', bytes, sha256: 'ab'.repeat(32), url, path: null, open }
}

function unread(bytes: number, url: string | null = null): JobFile {
  return { ...file(0, url), bytes, open: () => Promise.reject(new Error('nobody should read this')) }
}

function job(more: Partial<Job> = {}): Job {
  return {
    marker: { attemptId: 'attempt-1', secret: 'whisper' },
    model: 'surefoot/sharp',
    target: {},
    input: { focal_length: 30 },
    files: { image: file(3) },
    webhookUrl: 'http://10.0.0.1/hooks/whisper',
    uploadUrl: name => `http://10.0.0.1/uploads/${name}?signature=1`,
    runLimitMs: 600_000,
    deadlineInMs: 1_800_000,
    ...more,
  }
}

test('a start is one PUT under our own id, asynchronous, with an address for its news', async () => {
  const { provider, io, sent, body, calls } = setup([started], { authorization: 'Bearer proxy' })
  expect(await provider.start(job(), io)).toMatchObject({
    kind: 'accepted',
    handle: { id: 'attempt-1' },
    seen: { status: 'running', word: 'starting' },
  })
  expect(calls()).toEqual(['PUT /predictions/attempt-1'])
  expect(sent[0]?.headers.get('prefer')).toBe('respond-async')
  expect(sent[0]?.headers.get('authorization')).toBe('Bearer proxy')
  expect(body()).toEqual({
    input: { focal_length: 30, image: 'data:image/jpeg;base64,QUFB' },
    webhook: 'http://10.0.0.1/hooks/whisper',
    webhook_events_filter: ['start', 'logs', 'completed'],
  })
})

test('a held start is one POST without a webhook, and its answer is the end', async () => {
  const end = { id: 'attempt-1', status: 'succeeded', output: 'data:text/plain,hi', metrics: { predict_time: 3 } }
  const { provider, io, sent, body, calls } = setup([() => Response.json(end)], { mode: 'held' })
  expect(await provider.start(job({ webhookUrl: null }), io)).toMatchObject({
    kind: 'accepted',
    handle: { id: 'attempt-1' },
    seen: { status: 'succeeded', outputs: [{ kind: 'data' }], metrics: { runMs: 3000 } },
  })
  expect(calls()).toEqual(['POST /predictions'])
  expect(sent[0]?.headers.has('prefer')).toBe(false)
  expect(body()).toEqual({ id: 'attempt-1', input: { focal_length: 30, image: 'data:image/jpeg;base64,QUFB' } })
})

test('a run that failed is a 200, too', async () => {
  const end = { id: 'attempt-1', status: 'failed', error: 'no face found', logs: '', metrics: {} }
  const { provider, io } = setup([() => Response.json(end)], { mode: 'held' })
  expect(await provider.start(job(), io)).toMatchObject({
    kind: 'accepted',
    seen: { status: 'failed', failure: { code: 'model_error', message: 'The model failed: no face found.' } },
  })
})

test('a held answer that is too large is the end of a run that was good, not a start to look for', async () => {
  const huge = () => new Response(new Blob([new Uint8Array(33 * 1024 * 1024)]))
  const { provider, io, calls } = setup([huge], { mode: 'held' })
  expect(await provider.start(job(), io)).toMatchObject({
    kind: 'accepted',
    seen: { status: 'failed', failure: { code: 'output_too_large' } },
  })
  expect(calls()).toHaveLength(1)
})

test.each(['processing', 'starting', 'paused'])(
  'a held request that is answered with "%s" may have lost its run',
  async status => {
    const { provider, io } = setup([() => Response.json({ id: 'attempt-1', status }, { status: 202 })], {
      mode: 'held',
    })
    expect(await provider.start(job(), io)).toMatchObject({ kind: 'unknown' })
  },
)

test('without an address for webhooks a start is refused before anything is sent, and the other mode is named', async () => {
  const { provider, io, sent } = setup([])
  expect(await provider.start(job({ webhookUrl: null }), io)).toMatchObject({
    kind: 'rejected',
    failure: { code: 'no_route_for_bytes', advice: expect.stringMatching("'held'") },
  })
  expect(sent).toEqual([])
})

test('our kit gets the attempt, a link to upload to and an address to say hello to; its handle knows where the output lands', async () => {
  const { provider, io, body } = setup([started])
  const answer = await provider.start(job({ target: { kit: true, inputs: { image: 'photo' } } }), io)
  expect(body().input).toEqual({
    focal_length: 30,
    photo: 'data:image/jpeg;base64,QUFB',
    surefoot: {
      attempt: 'attempt-1',
      upload: { url: 'http://10.0.0.1/uploads/output?signature=1' },
      hello: 'http://10.0.0.1/hooks/whisper',
    },
  })
  expect(answer).toMatchObject({ handle: { id: 'attempt-1', stored: 'uploads/attempt-1/output' } })
})

test.each([null, 'http://10.0.0.1/photo?signature=1'])(
  'a kit that shares a secret gets a proof of the addresses as they are sent; other models get none (%s)',
  async url => {
    const kitSecret = 'correct horse battery'
    const { provider, io, sent } = setup([started, started], { kitSecret })
    await provider.start(job({ target: { kit: true, inputs: { image: 'photo' } }, files: { image: file(3, url) } }), io)
    await provider.start(job({ target: {} }), io)
    const [{ photo, surefoot }, other] = sent.map(({ text }) => JSON.parse(text).input)
    const { proof, ...part } = surefoot
    expect(withProof(part, kitSecret, [photo])).toEqual({ ...part, proof })
    expect(photo).toBe(url ?? 'data:image/jpeg;base64,QUFB')
    expect([other.surefoot, JSON.stringify(sent).includes(kitSecret)]).toEqual([undefined, false])
  },
)

test('files go by our signed URL, whatever their size, and are not read; inline only up to what the server takes', async () => {
  const { provider, io, body } = setup([started])
  await provider.start(job({ files: { image: unread(500_000_000, 'http://10.0.0.1/photo?signature=1') } }), io)
  expect(body().input).toMatchObject({ image: 'http://10.0.0.1/photo?signature=1' })
  expect(await provider.start(job({ files: { image: unread(80_000_000) } }), io)).toMatchObject({
    kind: 'rejected',
    failure: { code: 'no_route_for_bytes' },
  })
})

const busy = () =>
  Response.json({ error: 'At capacity - all prediction slots busy', status: 'failed' }, { status: 409 })
const busyPython = () => Response.json({ detail: 'Already running a prediction' }, { status: 409 })
const notSetUp = () => Response.json({ error: 'Setup has not finished yet', status: 'failed' }, { status: 503 })
const health = (status: string) => () => Response.json({ status, setup: {} })

test.each([
  ['busy', busy, 'BUSY', 'rate_limited', 5_000],
  ['busy a moment ago', busyPython, 'READY', 'rate_limited', 5_000],
  ['setting up', notSetUp, 'STARTING', 'rate_limited', 30_000],
  ['setting up, and says that it is busy', busyPython, 'STARTING', 'rate_limited', 30_000],
  ['one whose setup failed', notSetUp, 'SETUP_FAILED', 'boot_timeout', undefined],
  ['one whose worker died', busy, 'UNHEALTHY', 'no_capacity', undefined],
  ['defunct', busyPython, 'DEFUNCT', 'boot_timeout', undefined],
])(
  'a server that is %s refuses, nothing was started, and its health says why',
  async (_, refusal, word, code, retryAfterMs) => {
    const { provider, io, calls } = setup([refusal, health(word)])
    const answer = await provider.start(job(), io)
    expect(answer).toMatchObject({ kind: 'rejected', failure: { code } })
    expect(answer.kind === 'rejected' && answer.failure.retryAfterMs).toBe(retryAfterMs)
    expect(calls()).toEqual(['PUT /predictions/attempt-1', 'GET /health-check'])
  },
)

test('a refusal whose reason cannot be had is a wait', async () => {
  const { provider, io } = setup([busy, () => new Response('<html>', { status: 502 })])
  expect(await provider.start(job(), io)).toMatchObject({ kind: 'rejected', failure: { code: 'rate_limited' } })
})

test.each([
  ['503 of a proxy', () => new Response('<html>', { status: 503, headers: { 'content-type': 'text/html' } })],
  ['503 with JSON of somebody else', () => Response.json({ message: 'no upstream' }, { status: 503 })],
  ['409 with JSON of somebody else', () => Response.json({ detail: 'conflict' }, { status: 409 })],
  ['200 without a status', () => Response.json({ id: 'attempt-1' })],
  ["200 with somebody else's run", () => Response.json({ id: 'attempt-2', status: 'processing' })],
  ['302', () => new Response(null, { status: 302, headers: { location: 'https://login.test' } })],
])('%s proves nothing: the start is unknown', async (_, answer) => {
  const { provider, io, calls } = setup([answer])
  expect(await provider.start(job(), io)).toMatchObject({ kind: 'unknown', failure: { code: 'start_unknown' } })
  expect(calls()).toHaveLength(1)
})

test("what is wrong with an input is told in the model's own words", async () => {
  const detail = [{ loc: ['body', 'input', 'steps'], msg: 'ensure this value is at most 50', type: 'x' }]
  const { provider, io } = setup([() => Response.json({ detail }, { status: 422 })])
  expect(await provider.start(job(), io)).toMatchObject({
    kind: 'rejected',
    failure: { code: 'input_invalid', message: 'Cog answered 422: input.steps: ensure this value is at most 50.' },
  })
})

test('failures tell nothing of the webhook, the input or the proxy', async () => {
  const echo = () =>
    Response.json({ detail: 'bad http://10.0.0.1/hooks/whisper for data:image/jpeg;base64,QUFB' }, { status: 400 })
  const { provider, io } = setup([echo], { authorization: 'Bearer proxy' })
  const answer = JSON.stringify(await provider.start(job(), io))
  expect(answer).toContain('bad http://10.0.0.1/…')
  expect(answer).not.toMatch(/whisper|proxy|QUFB/)
})
