import { expect, test } from 'vitest'
import type { Job, JobFile } from '../contract.ts'
import { runpod } from './index.ts'

interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly text: string
}

/** A provider whose requests are noted and answered in order. */
function setup(answers: (() => Response)[], options: { baseUrl?: string } = {}) {
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
  const provider = runpod({ apiKey: 'rpa_secret', ...options })
  const body = () => JSON.parse(sent.at(-1)?.text ?? '{}') as Record<string, unknown>
  return { provider, io, sent, body }
}

const queued = () => Response.json({ id: 'j1-u1', status: 'IN_QUEUE' })

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
    target: { endpoint: 'abc123' },
    input: { focal_length: 30 },
    files: { image: file(3) },
    webhookUrl: 'https://us.test/hooks/whisper',
    uploadUrl: name => `https://us.test/uploads/${name}?signature=1`,
    runLimitMs: 600_000,
    deadlineInMs: 1_800_000,
    ...more,
  }
}

test('a start is one POST that says who pays, what to run, when to stop and where to call back, and nothing more', async () => {
  const { provider, io, sent, body } = setup([queued])
  expect(await provider.start(job(), io)).toEqual({
    kind: 'accepted',
    handle: { endpoint: 'abc123', id: 'j1-u1' },
    seen: { status: 'queued', word: 'IN_QUEUE' },
  })
  expect(sent.map(({ method, url }) => [method, url])).toEqual([['POST', 'https://api.runpod.ai/v2/abc123/run']])
  expect(sent[0]?.headers.get('authorization')).toBe('Bearer rpa_secret')
  expect(body()).toEqual({
    input: { focal_length: 30, image: 'data:image/jpeg;base64,QUFB' },
    webhook: 'https://us.test/hooks/whisper',
    policy: { executionTimeout: 600_000, ttl: 1_860_000 },
  })
})

test.each([
  ['the shortest', { runLimitMs: 1, deadlineInMs: -60_000 }, {}, { executionTimeout: 5_000, ttl: 10_000 }],
  ['the longest', { runLimitMs: 1e12, deadlineInMs: 1e12 }, {}, { executionTimeout: 604_800_000, ttl: 604_800_000 }],
  ["the target's own", {}, { executionTimeoutMs: 90_000 }, { executionTimeout: 90_000, ttl: 1_860_000 }],
])("limits stay within the vendor's bounds: %s", async (_, limits, target, policy) => {
  const { provider, io, body } = setup([queued])
  await provider.start(job({ ...limits, target: { endpoint: 'abc123', ...target } }), io)
  expect(body().policy).toEqual(policy)
})

test('fields get the names that the handler has for them', async () => {
  const { provider, io, body } = setup([queued])
  const inputs = { image: 'photo', focal_length: 'f' }
  await provider.start(job({ target: { endpoint: 'abc123', inputs } }), io)
  expect(body().input).toEqual({ f: 30, photo: 'data:image/jpeg;base64,QUFB' })
})

test('our kit gets the attempt, a link to upload to and an address to say hello to; its handle knows where the output lands', async () => {
  const { provider, io, body } = setup([queued])
  const answer = await provider.start(job({ target: { endpoint: 'abc123', kit: true } }), io)
  expect(body().input).toMatchObject({
    surefoot: {
      attempt: 'attempt-1',
      upload: { url: 'https://us.test/uploads/output?signature=1' },
      hello: 'https://us.test/hooks/whisper',
    },
  })
  expect(answer).toMatchObject({ handle: { endpoint: 'abc123', id: 'j1-u1', stored: 'uploads/attempt-1/output' } })
})

test('our kit uploads to storage that it reaches although it cannot reach us, and greets nobody', async () => {
  const { provider, io, body } = setup([queued])
  const places = { uploadUrl: () => 'https://s3.test/up?X-Amz-Signature=1', webhookUrl: null }
  await provider.start(job({ target: { endpoint: 'abc123', kit: true }, ...places }), io)
  const surefoot = { attempt: 'attempt-1', upload: { url: 'https://s3.test/up?X-Amz-Signature=1' } }
  expect(body().input).toEqual(expect.objectContaining({ surefoot }))
})

test.each([
  ['there is no public URL', { uploadUrl: () => null, webhookUrl: null }],
  ['the URL is plain http', { uploadUrl: () => 'http://us.test/up', webhookUrl: 'http://us.test/hook' }],
])('our kit is refused before anything is sent when %s', async (_, more) => {
  const { provider, io, sent } = setup([])
  const answer = await provider.start(job({ target: { endpoint: 'abc123', kit: true }, ...more }), io)
  expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'no_route_for_bytes' } })
  expect(sent).toEqual([])
})

test('files go by our signed URL when the worker can reach it, whatever their size, and are not read', async () => {
  const { provider, io, body } = setup([queued])
  await provider.start(job({ files: { image: unread(50_000_000, 'https://us.test/photo?signature=1') } }), io)
  expect(body().input).toMatchObject({ image: 'https://us.test/photo?signature=1' })
})

test('the vendor gets no plain http URLs of ours; an emulator on this machine does', async () => {
  const plain = { webhookUrl: 'http://127.0.0.1/hook', files: { image: file(3, 'http://127.0.0.1/photo') } }
  const vendor = setup([queued])
  await vendor.provider.start(job(plain), vendor.io)
  expect(vendor.body().webhook).toBeUndefined()
  expect(vendor.body().input).toMatchObject({ image: 'data:image/jpeg;base64,QUFB' })
  const emulator = setup([queued], { baseUrl: 'http://127.0.0.1:9001/v2' })
  await emulator.provider.start(job(plain), emulator.io)
  expect(emulator.body()).toMatchObject({ webhook: plain.webhookUrl, input: { image: 'http://127.0.0.1/photo' } })
})

test.each([
  ['files that cannot travel by link', { files: { image: unread(7_500_001) } }, 'no_route_for_bytes'],
  ['files that are only together too large', { files: { a: unread(4e6), b: unread(4e6) } }, 'no_route_for_bytes'],
  ['an input of its own', { files: {}, input: { prompt: 'x'.repeat(10_000_000) } }, 'input_too_large'],
])('a request over 10 MB is refused before it is sent: %s', async (_, more, code) => {
  const { provider, io, sent } = setup([])
  expect(await provider.start(job(more), io)).toMatchObject({ kind: 'rejected', failure: { code } })
  expect(sent).toEqual([])
})

test('a file that just fits is sent', async () => {
  const { provider, io, sent } = setup([queued])
  expect((await provider.start(job({ files: { image: file(7_490_000) } }), io)).kind).toBe('accepted')
  expect(sent[0]?.text.length).toBeLessThanOrEqual(10_000_000)
})

test.each([
  [200, 'unknown'],
  [302, 'unknown'],
  [400, 'rejected'],
  [404, 'rejected'],
  [408, 'unknown'],
  [409, 'unknown'],
  [418, 'rejected'],
  [429, 'rejected'],
  [500, 'unknown'],
  [502, 'unknown'],
])('a start that is answered with a bare %d is %s, and sent once', async (status, kind) => {
  const { provider, io, sent } = setup([
    () => new Response('{}', { status, headers: { 'content-type': 'application/json' } }),
  ])
  expect((await provider.start(job(), io)).kind).toBe(kind)
  expect(sent).toHaveLength(1)
})

test.each([
  [400, { error: 'json is invalid; max size is 2 MB' }, 'input_too_large'],
  [400, { error: 'input is required' }, 'input_invalid'],
  [401, { error: 'unauthorized' }, 'auth_rejected'],
  [403, { message: 'this key is read only' }, 'auth_rejected'],
  [403, { detail: 'account suspended' }, 'account_locked'],
])('%d with %j is %s', async (status, body, code) => {
  const { provider, io } = setup([() => Response.json(body, { status })])
  expect(await provider.start(job(), io)).toMatchObject({ kind: 'rejected', failure: { code } })
})

test('a start whose signal has ended before the POST starts nothing', async () => {
  const { provider, io, sent } = setup([])
  expect(await provider.start(job(), { ...io, signal: AbortSignal.abort() })).toMatchObject({ kind: 'rejected' })
  expect(sent).toEqual([])
})

test('failures tell nothing of the key, the webhook or the input', async () => {
  const echo = () =>
    Response.json(
      { error: 'bad webhook https://us.test/hooks/whisper for data:image/jpeg;base64,QUFB' },
      { status: 400 },
    )
  const { provider, io } = setup([echo])
  const answer = JSON.stringify(await provider.start(job(), io))
  expect(answer).toContain('bad webhook https://us.test/…')
  expect(answer).not.toMatch(/whisper|rpa_secret|QUFB/)
})
