import { expect, test } from 'vitest'
import { file, job, setup, unread } from './test-support.ts'

const queued = () => Response.json({ request_id: 'r1' }, { status: 201 })

test('a start is one POST that says what to run, once, until when, and where to bring the result', async () => {
  const { provider, io, sent, body } = setup([queued])
  expect(await provider.start(job(), io)).toEqual({
    kind: 'accepted',
    handle: { model: 'abcd1234', id: 'r1' },
    seen: { status: 'queued', word: 'QUEUED' },
  })
  expect(sent.map(({ method, url }) => [method, url])).toEqual([
    ['POST', 'https://model-abcd1234.api.baseten.co/production/async_predict'],
  ])
  expect(sent[0]?.headers.get('authorization')).toBe('Api-Key secret-key')
  expect(body()).toEqual({
    model_input: { focal_length: 30, image: 'data:image/jpeg;base64,QUFB' },
    webhook_endpoint: 'https://us.test/hooks/whisper',
    max_time_in_queue_seconds: 1800,
    inference_retry_config: { max_attempts: 1, initial_delay_ms: 1000, max_delay_ms: 5000 },
  })
})

test.each([
  [{}, '/production'],
  [{ environment: 'production' }, '/production'],
  [{ environment: 'development' }, '/development'],
  [{ environment: 'staging' }, '/environments/staging'],
  [{ deployment: 'd1' }, '/deployment/d1'],
])('%j is called at %s', async (place, path) => {
  const { provider, io, sent } = setup([queued])
  await provider.start(job({ target: { model: 'abcd1234', ...place } }), io)
  expect(sent[0]?.url).toBe(`https://model-abcd1234.api.baseten.co${path}/async_predict`)
})

test('another place has its models in the path', async () => {
  const { provider, io, sent } = setup([queued], { baseUrl: 'http://127.0.0.1:9001/' })
  await provider.start(job(), io)
  expect(sent[0]?.url).toBe('http://127.0.0.1:9001/model-abcd1234/production/async_predict')
})

test.each([
  ['the shortest', { deadlineInMs: -60_000 }, {}, 10],
  ['the longest', { deadlineInMs: 1e12 }, {}, 259_200],
  ["the target's own", {}, { maxQueueSeconds: 60 }, 60],
])("the time in the queue stays within the vendor's bounds: %s", async (_, limits, target, seconds) => {
  const { provider, io, body } = setup([queued])
  await provider.start(job({ ...limits, target: { model: 'abcd1234', ...target } }), io)
  expect(body().max_time_in_queue_seconds).toBe(seconds)
})

test("a target's priority is sent, and its names for fields", async () => {
  const { provider, io, body } = setup([queued])
  const target = { model: 'abcd1234', priority: 2, inputs: { image: 'photo', focal_length: 'f' } }
  await provider.start(job({ target }), io)
  expect(body()).toMatchObject({ priority: 2, model_input: { f: 30, photo: 'data:image/jpeg;base64,QUFB' } })
})

test('our kit gets the attempt, a link to upload to and an address to say hello to; its handle knows where the output lands', async () => {
  const { provider, io, body } = setup([queued])
  const answer = await provider.start(job({ target: { model: 'abcd1234', kit: true } }), io)
  expect(body().model_input).toMatchObject({
    surefoot: {
      attempt: 'attempt-1',
      upload: { url: 'https://us.test/uploads/output?signature=1' },
      hello: 'https://us.test/hooks/whisper',
    },
  })
  expect(answer).toMatchObject({ handle: { model: 'abcd1234', id: 'r1', stored: 'uploads/attempt-1/output' } })
})

test.each([
  ['no public URL', { uploadUrl: () => null, webhookUrl: null }],
  ['one over plain http', { uploadUrl: () => 'http://us.test/up', webhookUrl: 'http://us.test/hook' }],
])('with %s nothing is sent, because no result could come back', async (_, more) => {
  for (const kit of [true, false]) {
    const { provider, io, sent } = setup([])
    const answer = await provider.start(job({ target: { model: 'abcd1234', kit }, ...more }), io)
    expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'no_route_for_bytes' } })
    expect(sent).toEqual([])
  }
})

test('files go by our signed URL when a replica can reach it, whatever their size, and are not read', async () => {
  const { provider, io, body } = setup([queued])
  await provider.start(job({ files: { image: unread(50_000_000, 'https://us.test/photo?signature=1') } }), io)
  expect(body().model_input).toMatchObject({ image: 'https://us.test/photo?signature=1' })
})

test('an emulator on this machine takes plain http from us', async () => {
  const plain = { webhookUrl: 'http://127.0.0.1/hook', files: { image: unread(3, 'http://127.0.0.1/photo') } }
  const { provider, io, body } = setup([queued], { baseUrl: 'http://127.0.0.1:9001' })
  await provider.start(job(plain), io)
  expect(body()).toMatchObject({ webhook_endpoint: plain.webhookUrl, model_input: { image: 'http://127.0.0.1/photo' } })
})

test.each([
  ['files that cannot travel by link', { files: { image: unread(196_608) } }, 'no_route_for_bytes'],
  ['files that are only together too large', { files: { a: unread(1e5), b: unread(1e5) } }, 'no_route_for_bytes'],
  ['an input of its own', { files: {}, input: { prompt: 'x'.repeat(262_144) } }, 'input_too_large'],
])('a request over 256 KiB is refused before it is sent: %s', async (_, more, code) => {
  const { provider, io, sent } = setup([])
  expect(await provider.start(job(more), io)).toMatchObject({ kind: 'rejected', failure: { code } })
  expect(sent).toEqual([])
})

test('a file that just fits is sent', async () => {
  const { provider, io, sent } = setup([queued])
  expect((await provider.start(job({ files: { image: file(196_000) } }), io)).kind).toBe('accepted')
  expect(sent[0]?.text.length).toBeLessThanOrEqual(262_144)
})

test.each([
  [200, 'unknown'],
  [302, 'unknown'],
  [400, 'rejected'],
  [404, 'rejected'],
  [408, 'unknown'],
  [409, 'unknown'],
  [410, 'rejected'],
  [429, 'rejected'],
  [500, 'unknown'],
  [503, 'unknown'],
])('a start that is answered with a bare %d is %s, and sent once', async (status, kind) => {
  const { provider, io, sent } = setup([
    () => new Response('{}', { status, headers: { 'content-type': 'application/json' } }),
  ])
  expect((await provider.start(job(), io)).kind).toBe(kind)
  expect(sent).toHaveLength(1)
})

test.each([
  [400, { error: 'payload size of 400000 bytes exceeds maximum size of 262144 bytes' }, 'input_too_large'],
  [400, { error: 'model_input is required' }, 'input_invalid'],
  [401, { error: 'unauthorized' }, 'auth_rejected'],
  [404, { error: 'deployment is not active' }, 'deployment_missing'],
  [413, { error: 'too large' }, 'input_too_large'],
])('%d with %j is %s', async (status, body, code) => {
  const { provider, io } = setup([() => Response.json(body, { status })])
  expect(await provider.start(job(), io)).toMatchObject({ kind: 'rejected', failure: { code } })
})

test('failures tell nothing of the key, the webhook or the input', async () => {
  const error = 'bad webhook https://us.test/hooks/whisper for data:image/jpeg;base64,QUFB'
  const { provider, io } = setup([() => Response.json({ error }, { status: 400 })])
  const answer = JSON.stringify(await provider.start(job(), io))
  expect(answer).toContain('bad webhook https://us.test/…')
  expect(answer).not.toMatch(/whisper|secret-key|QUFB/)
})
