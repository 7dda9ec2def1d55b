import { expect, test } from 'vitest'
import { cog } from './index.ts'

const io = { signal: new AbortController().signal, fetch: () => Promise.reject(new Error('nobody is asked')) }

interface Setting {
  readonly target?: object | null
  readonly token?: string
  readonly authorization?: string
}

async function hear(content: unknown, { target = {}, token, authorization }: Setting = {}) {
  const provider = cog({ baseUrl: 'http://cog.test', ...(token === undefined ? {} : { webhookToken: token }) })
  const body = new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content))
  const headers = new Headers(authorization === undefined ? {} : { authorization })
  const to = { attemptId: 'attempt-1', target: target === null ? null : provider.parseTarget(target) }
  return provider.hear?.({ headers, body }, io, 0, to)
}

const end = {
  id: 'attempt-1',
  status: 'succeeded',
  output: 'https://x.test/a.ply',
  logs: '',
  metrics: { predict_time: 2 },
}

test('the last webhook is the end of the run, and is known when it comes again', async () => {
  expect(await hear(end)).toMatchObject({
    deliveryId: 'attempt-1 succeeded',
    handle: { id: 'attempt-1' },
    observation: {
      status: 'succeeded',
      outputs: [{ kind: 'url', url: 'https://x.test/a.ply' }],
      metrics: { runMs: 2000 },
    },
  })
})

test('those before it have nothing by which they could be told apart', async () => {
  const heard = await hear({ id: 'attempt-1', status: 'processing', logs: ' 50%|█████     | 1/2' })
  expect(heard).toMatchObject({ deliveryId: null, observation: { status: 'running', progress: { fraction: 0.5 } } })
})

test("a kit's hello tells of a run, whatever id it believes to have, and its output is looked for under the attempt of the URL", async () => {
  expect(await hear({ surefoot: 'hello', id: 'pred_7' }, { target: { kit: true }, token: 't' })).toEqual({
    deliveryId: 'attempt-1 hello',
    handle: { id: 'attempt-1', stored: 'uploads/attempt-1/output' },
    observation: { status: 'running', word: 'hello' },
  })
})

test.each([
  ['no JSON', 'hello'],
  ['no status', { id: 'attempt-1' }],
  ['another run', { ...end, id: 'attempt-2' }],
])('%s is refused', async (_, content) => {
  await expect(hear(content)).rejects.toMatchObject({ status: 422, failure: { code: 'provider_error' } })
})

test('where the server has a token, only webhooks with it count', async () => {
  expect(await hear(end, { token: 't', authorization: 'Bearer t' })).toMatchObject({
    observation: { status: 'succeeded' },
  })
  for (const authorization of [undefined, 'Bearer T', 'Bearer tt', 't'])
    await expect(
      hear(end, { token: 't', ...(authorization === undefined ? {} : { authorization }) }),
    ).rejects.toMatchObject({
      status: 401,
      failure: { code: 'auth_rejected' },
    })
})

test('a webhook for a deployment that left the configuration is refused', async () => {
  await expect(hear(end, { target: null })).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})
