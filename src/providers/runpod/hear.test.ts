import { expect, test } from 'vitest'
import { runpod } from './index.ts'

const provider = runpod({ apiKey: 'k' })
const io = { signal: new AbortController().signal, fetch: () => Promise.reject(new Error('nobody is asked')) }

async function hear(content: unknown, target: object | null = { endpoint: 'abc123' }) {
  const body = new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content))
  const to = { attemptId: 'attempt-1', target: target === null ? null : provider.parseTarget(target) }
  return provider.hear?.({ headers: new Headers(), body }, io, 0, to)
}

const webhook = {
  delayTime: 2000,
  executionTime: 1437,
  id: 'j1-u1',
  input: { surefoot: { attempt: 'somebody-else' } },
  output: { image_url: 'https://x.test/a.ply' },
  status: 'COMPLETED',
  webhook: 'https://us.test/hooks/whisper',
}

test('the vendor tells the whole job at its end', async () => {
  expect(await hear(webhook)).toEqual({
    deliveryId: 'j1-u1 COMPLETED',
    handle: { endpoint: 'abc123', id: 'j1-u1' },
    observation: {
      status: 'succeeded',
      word: 'COMPLETED',
      metrics: { runMs: 1437, totalMs: 3437 },
      outputs: [{ kind: 'url', url: 'https://x.test/a.ply' }],
    },
  })
})

test("a kit's output is looked for under the attempt of the URL, never under one that the body names", async () => {
  const heard = await hear(webhook, { endpoint: 'abc123', kit: true })
  expect(heard?.handle).toEqual({ endpoint: 'abc123', id: 'j1-u1', stored: 'uploads/attempt-1/output' })
  expect(heard?.observation.outputs).toEqual([{ kind: 'stored', key: 'uploads/attempt-1/output' }])
})

test("a kit's hello is the sign of life that gives a lost start its id", async () => {
  expect(await hear({ surefoot: 'hello', id: 'j1-u1', more: 1 }, { endpoint: 'abc123', kit: true })).toEqual({
    deliveryId: 'j1-u1 hello',
    handle: { endpoint: 'abc123', id: 'j1-u1', stored: 'uploads/attempt-1/output' },
    observation: { status: 'running', word: 'hello' },
  })
})

test.each([
  ['no JSON', 'hello'],
  ["the local server's webhook, which names no job", { output: {} }],
  ['a hello without an id', { surefoot: 'hello' }],
])('%s is refused', async (_, content) => {
  await expect(hear(content)).rejects.toMatchObject({ status: 422, failure: { code: 'provider_error' } })
})

test('a webhook for a deployment that left the configuration is refused', async () => {
  await expect(hear(webhook, null)).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})
