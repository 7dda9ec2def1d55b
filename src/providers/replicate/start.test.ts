import { expect, test } from 'vitest'
import type { Job, JobFile } from '../contract.ts'
import { replicate } from './index.ts'

interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly text: string
}

/** A provider whose requests are noted and answered in order. */
function setup(answers: (() => Response)[], options: { baseUrl?: string; preferUpload?: boolean } = {}) {
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
  const provider = replicate({ token: 'r8_secret', ...options })
  const body = () => JSON.parse(sent.at(-1)?.text ?? '{}') as Record<string, unknown>
  return { provider, io, sent, body }
}

const created = () => Response.json({ id: 'p1', status: 'starting' }, { status: 201 })
const uploaded = () =>
  Response.json({ id: 'f1', urls: { get: 'https://api.replicate.com/v1/files/f1' } }, { status: 201 })

function file(bytes: number, url: string | null = null): JobFile {
  const open = async () => new Blob([new Uint8Array(bytes).fill(65)]).stream()
  return { name: 'my photo".jpg', mediaType: 'image/jpeg', bytes, sha256: 'ab'.repeat(32), url, path: null, open }
}

function job(more: Partial<Job> = {}): Job {
  return {
    marker: { attemptId: 'attempt-1', secret: 'whisper' },
    model: 'surefoot/sharp',
    target: { model: 'owner/name' },
    input: { focal_length: 30 },
    files: { image: file(3) },
    webhookUrl: 'https://us.test/hooks/whisper',
    uploadUrl: () => null,
    runLimitMs: 600_000,
    deadlineInMs: 1_800_000,
    ...more,
  }
}

const hex = 'b'.repeat(64)
test.each([
  [{ version: hex }, '/v1/predictions', hex],
  [{ version: `owner/name:${hex}` }, '/v1/predictions', `owner/name:${hex}`],
  [{ model: 'owner/name' }, '/v1/models/owner/name/predictions', undefined],
  [{ deployment: 'owner/name' }, '/v1/deployments/owner/name/predictions', undefined],
])('%j is created at its own path', async (target, path, version) => {
  const { provider, io, sent, body } = setup([created])
  expect(await provider.start(job({ target }), io)).toMatchObject({ kind: 'accepted', handle: { id: 'p1' } })
  expect(sent.map(each => [each.method, each.url])).toEqual([['POST', `https://api.replicate.com${path}`]])
  expect(body().version).toBe(version)
})

test('a start says who pays, when to stop, where to call back, and nothing more', async () => {
  const { provider, io, sent, body } = setup([created])
  await provider.start(job(), io)
  expect(Object.fromEntries(sent[0]?.headers ?? [])).toMatchObject({
    authorization: 'Bearer r8_secret',
    'cancel-after': '25m',
    'content-type': 'application/json',
  })
  expect(body()).toEqual({
    input: { focal_length: 30, image: 'data:image/jpeg;base64,QUFB' },
    webhook: 'https://us.test/hooks/whisper',
    webhook_events_filter: ['start', 'completed'],
  })
})

test.each([
  [{ runLimitMs: 600_000, deadlineInMs: 90_000 }, '2m'],
  [{ runLimitMs: 600_000, deadlineInMs: 5 }, '1m'],
  [{ runLimitMs: 60_000, deadlineInMs: 9_000_000 }, '16m'],
])('limits of %j become Cancel-After: %s', async (limits, header) => {
  const { provider, io, sent } = setup([created])
  await provider.start(job(limits), io)
  expect(sent[0]?.headers.get('cancel-after')).toBe(header)
})

test('fields get the names that the model has for them, and kits the attempt', async () => {
  const { provider, io, body } = setup([created])
  await provider.start(
    job({ target: { model: 'owner/name', kit: true, inputs: { image: 'photo', focal_length: 'f' } } }),
    io,
  )
  expect(body().input).toEqual({ f: 30, photo: 'data:image/jpeg;base64,QUFB', surefoot_attempt: 'attempt-1' })
})

test('a large file goes by our signed URL when there is one', async () => {
  const { provider, io, body } = setup([created])
  await provider.start(job({ files: { image: file(300_000, 'https://us.test/photo?signature=1') } }), io)
  expect(body().input).toMatchObject({ image: 'https://us.test/photo?signature=1' })
})

test.each([
  ['there is no URL', {}, { files: { image: file(300_000) } }],
  ['uploads are preferred', { preferUpload: true }, { files: { image: file(300_000, 'https://us.test/photo') } }],
  ['the URL is not public', {}, { files: { image: file(300_000, 'http://127.0.0.1/photo') } }],
  ['nothing else would mark the run', {}, { webhookUrl: null }],
  ['the vendor refuses plain http webhooks', {}, { webhookUrl: 'http://us.test/hooks' }],
])('a file is uploaded with the attempt in its metadata when %s', async (_, options, more) => {
  const { provider, io, sent, body } = setup([uploaded, created], options)
  expect(await provider.start(job(more), io)).toMatchObject({ kind: 'accepted' })
  const [upload] = sent
  expect(upload?.url).toBe('https://api.replicate.com/v1/files')
  const form = await new Response(upload?.text, { headers: upload?.headers ?? {} }).formData()
  const [content, metadata] = [form.get('content') as File, form.get('metadata')]
  expect(content).toMatchObject({ name: 'my_photo_.jpg', type: 'image/jpeg' })
  expect(await new Response(metadata).json()).toEqual({ surefoot_attempt: 'attempt-1' })
  expect(body().input).toMatchObject({ image: 'https://api.replicate.com/v1/files/f1' })
})

test('a file over the limit is refused before anything is sent', async () => {
  const { provider, io, sent } = setup([])
  const answer = await provider.start(
    job({ files: { image: { ...file(3), bytes: 100_000_001 } }, webhookUrl: null }),
    io,
  )
  expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'input_too_large' } })
  expect(sent).toEqual([])
})

test.each([
  ['refused', () => Response.json({ detail: 'no' }, { status: 401 }), 'auth_rejected'],
  [
    'answered with a page',
    () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
    'provider_error',
  ],
  ['cut', () => Promise.reject(new TypeError('fetch failed')) as never, 'provider_unreachable'],
])('an upload that is %s starts nothing', async (_, answer, code) => {
  const { provider, io, sent } = setup([answer])
  expect(await provider.start(job({ webhookUrl: null }), io)).toMatchObject({ kind: 'rejected', failure: { code } })
  expect(sent).toHaveLength(1)
})

test.each([
  [200, 'unknown'],
  [302, 'unknown'],
  [400, 'rejected'],
  [404, 'rejected'],
  [408, 'unknown'],
  [409, 'unknown'],
  [410, 'rejected'],
  [418, 'rejected'],
  [429, 'rejected'],
  [500, 'unknown'],
  [503, 'unknown'],
  [599, 'unknown'],
])('a start that is answered with a bare %d is %s, and sent once', async (status, kind) => {
  const { provider, io, sent } = setup([
    () => new Response('{}', { status, headers: { 'content-type': 'application/json' } }),
  ])
  expect((await provider.start(job(), io)).kind).toBe(kind)
  expect(sent).toHaveLength(1)
})

test('a redirect is not followed: the token stays where it was given', async () => {
  const redirects: RequestInit['redirect'][] = []
  const { provider } = setup([])
  const fetch: typeof globalThis.fetch = async (_, init) => {
    redirects.push(init?.redirect)
    return created()
  }
  await provider.start(job(), { fetch, signal: new AbortController().signal })
  expect(redirects).toEqual(['manual'])
})

test('a start whose signal has ended before the POST starts nothing', async () => {
  const { provider, io, sent } = setup([])
  expect(await provider.start(job(), { ...io, signal: AbortSignal.abort() })).toMatchObject({ kind: 'rejected' })
  expect(sent).toEqual([])
})

const invalid = () => Response.json({ detail: 'Invalid version or not permitted', status: 422 }, { status: 422 })
test.each([
  [() => Response.json({ username: 'me' }), 'deployment_missing'],
  [() => Response.json({ detail: 'no' }, { status: 401 }), 'auth_rejected'],
  [() => new Response(null, { status: 503 }), 'deployment_missing'],
])('"Invalid version or not permitted" is told apart by the account', async (account, code) => {
  const { provider, io, sent } = setup([invalid, account])
  expect(await provider.start(job(), io)).toMatchObject({ kind: 'rejected', failure: { code } })
  expect(sent.map(each => `${each.method} ${new URL(each.url).pathname}`)).toEqual([
    'POST /v1/models/owner/name/predictions',
    'GET /v1/account',
  ])
})

test('failures tell nothing of the token, the webhook or the input', async () => {
  const echo = () =>
    Response.json(
      { detail: 'bad webhook https://us.test/hooks/whisper for data:image/jpeg;base64,QUFB' },
      { status: 422 },
    )
  const { provider, io } = setup([echo])
  const answer = JSON.stringify(await provider.start(job(), io))
  expect(answer).toContain('bad webhook https://us.test/…')
  expect(answer).not.toMatch(/whisper|r8_secret|QUFB/)
})
