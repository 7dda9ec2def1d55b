import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { setup } from './test-support.ts'

const now = Date.UTC(2026, 0, 1)
const key = 'uploads/attempt-1/output'
const webhook = {
  request_id: 'r1',
  model_id: 'abcd1234',
  deployment_id: 'd1',
  type: 'async_request_completed',
  time: '2025-12-31T23:59:58.000001Z',
  data: { url: 'https://bucket.test/scene.ply' },
  errors: [],
}

interface Hearing {
  readonly secrets?: readonly string[]
  /** Headers, or the secrets that sign. */
  readonly signedBy?: readonly string[] | null
  readonly target?: object | null
  readonly answers?: (() => Response)[]
}

async function hear(content: unknown, { secrets = [], signedBy = null, target, answers = [] }: Hearing = {}) {
  const { provider, io, sent } = setup(answers, { webhookSecrets: secrets })
  const body = new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content))
  const headers = new Headers(
    signedBy === null ? {} : { 'x-baseten-signature': signedBy.map(s => sign(s, body)).join(',') },
  )
  const to = {
    attemptId: 'attempt-1',
    target: target === null ? null : provider.parseTarget(target ?? { model: 'abcd1234' }),
  }
  return { heard: await provider.hear?.({ headers, body }, io, now, to), sent }
}

const sign = (secret: string, body: Uint8Array) => `v1=${createHmac('sha256', secret).update(body).digest('hex')}`
const refused = { failure: { code: 'auth_rejected' }, status: 401 }

test('the result is in the webhook, under the attempt that its URL names', async () => {
  const { heard } = await hear(webhook)
  expect(heard).toEqual({
    deliveryId: 'r1 completed',
    handle: { model: 'abcd1234', id: 'r1' },
    observation: {
      status: 'succeeded',
      word: 'async_request_completed',
      outputs: [{ kind: 'url', url: 'https://bucket.test/scene.ply' }],
    },
  })
})

test.each([
  [
    'bytes as a data URI',
    { file: 'data:model/ply;base64,cGx5' },
    [{ kind: 'data', uri: 'data:model/ply;base64,cGx5' }],
  ],
  [
    'bytes as base64',
    'A'.repeat(256),
    [{ kind: 'data', uri: `data:application/octet-stream;base64,${'A'.repeat(256)}` }],
  ],
  ['nothing', null, []],
])('a result of %s', async (_, data, outputs) => {
  expect((await hear({ ...webhook, data })).heard?.observation).toMatchObject({ status: 'succeeded', outputs })
})

test('completed is the word for failures, too', async () => {
  const errors = [{ code: 'MODEL_PREDICT_ERROR', message: 'CUDA out of memory' }]
  const { heard } = await hear({ ...webhook, data: null, errors })
  expect(heard?.observation).toMatchObject({ status: 'failed', failure: { code: 'out_of_memory' } })
})

test("a kit's output is looked for where the attempt of the URL put it, whatever the webhook says", async () => {
  const { heard } = await hear(webhook, { target: { model: 'abcd1234', kit: true } })
  expect(heard?.handle).toEqual({ model: 'abcd1234', id: 'r1', stored: key })
  expect(heard?.observation.outputs).toEqual([{ kind: 'stored', key }])
})

test("a kit's hello is the sign of life that gives a lost start its id; kits sign nothing", async () => {
  const { heard } = await hear(
    { surefoot: 'hello', id: 'r1', more: 1 },
    { target: { model: 'abcd1234', kit: true }, secrets: ['whsec_new'] },
  )
  expect(heard).toEqual({
    deliveryId: 'r1 hello',
    handle: { model: 'abcd1234', id: 'r1', stored: key },
    observation: { status: 'running', word: 'hello' },
  })
})

test.each([
  ['the one secret', ['whsec_new'], ['whsec_new']],
  ['the old secret, while ours is new already', ['whsec_new', 'whsec_old'], ['whsec_old']],
  ['both secrets, of which we know the second', ['whsec_old'], ['whsec_new', 'whsec_old']],
])('a webhook signed by %s is heard', async (_, secrets, signedBy) => {
  expect((await hear(webhook, { secrets, signedBy })).heard?.observation.status).toBe('succeeded')
})

test('an example of the scheme: the key is the whole secret, the text the raw body', async () => {
  // Computed apart from the code with `openssl dgst -sha256 -hmac whsec_abc`.
  const body = '{"request_id":"r1","type":"async_request_completed","time":"2026-01-01T00:00:00Z","data":1,"errors":[]}'
  const signature = 'v1=d64bf77dc9b80c95c99a99162256eaddb92eb3ad2852259698dd7b3540ffa727'
  const { provider, io } = setup([], { webhookSecrets: ['whsec_abc'] })
  const headers = new Headers({ 'x-baseten-signature': signature })
  const to = { attemptId: 'attempt-1', target: provider.parseTarget({ model: 'abcd1234' }) }
  const heard = await provider.hear?.({ headers, body: new TextEncoder().encode(body) }, io, now, to)
  expect(heard?.observation.status).toBe('succeeded')
})

test.each([
  ['unsigned', null],
  ['signed by somebody else', ['whsec_forger']],
  ['signed by nobody', []],
])('where the workspace has a secret, a webhook that is %s is refused', async (_, signedBy) => {
  await expect(hear(webhook, { secrets: ['whsec_new'], signedBy })).rejects.toMatchObject(refused)
})

test.each([
  ['5 minutes old', '2025-12-31T23:55:00Z', true],
  ['older', '2025-12-31T23:54:59Z', false],
  ['5 minutes ahead', '2026-01-01T00:05:00Z', true],
  ['further ahead', '2026-01-01T00:05:01Z', false],
  ['without a zone', '2026-01-01T00:00:00', true],
  ['unreadable', 'soon', false],
  ['missing', undefined, false],
])('a signed webhook whose time is %s', async (_, time, isHeard) => {
  const answer = hear({ ...webhook, time }, { secrets: ['whsec_new'], signedBy: ['whsec_new'] })
  if (isHeard) expect((await answer).heard?.observation.status).toBe('succeeded')
  else await expect(answer).rejects.toMatchObject(refused)
})

test('an unsigned time proves nothing and refuses nothing', async () => {
  expect((await hear({ ...webhook, time: '2020-01-01T00:00:00Z' })).heard?.observation.status).toBe('succeeded')
})

const priced = { model: 'abcd1234', hardware: 'l4' }
const status = () => Response.json({ request_id: 'r1', status: 'SUCCEEDED', created_at: '2025-12-31T23:59:48Z' })

test('how long it took is asked for, because the webhook tells only when it ended', async () => {
  const { heard, sent } = await hear(webhook, { target: priced, answers: [status] })
  expect(heard?.observation.metrics).toEqual({ totalMs: 10_000 })
  expect(sent.map(({ method, url }) => [method, url])).toEqual([
    ['GET', 'https://model-abcd1234.api.baseten.co/async_request/r1'],
  ])
})

test.each([
  ['nobody answers', []],
  ['the status is not known', [() => Response.json({ error: 'not found' }, { status: 404 })]],
  ['the status cannot be read', [() => new Response('<html>', { headers: { 'content-type': 'text/html' } })]],
])('a result is heard although %s', async (_, answers) => {
  const { heard } = await hear(webhook, { target: priced, answers })
  expect(heard?.observation).toMatchObject({ status: 'succeeded' })
  expect(heard?.observation).not.toHaveProperty('metrics')
})

test.each([
  ['no JSON', 'hello'],
  ['no request', { type: 'async_request_completed', data: 1 }],
  ['another type', { ...webhook, type: 'something_else' }],
])('%s is refused', async (_, content) => {
  await expect(hear(content)).rejects.toMatchObject({ failure: { code: 'provider_error' }, status: 422 })
})

test('a webhook for a deployment that is not configured any more is refused', async () => {
  await expect(hear(webhook, { target: null })).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})
