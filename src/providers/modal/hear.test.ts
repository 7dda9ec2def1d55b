import { expect, test } from 'vitest'
import { modal } from './index.ts'
import { setup } from './test-support.ts'

const web = modal({ mode: 'web' })
const functions = setup({}).provider
const io = { signal: new AbortController().signal, fetch: () => Promise.reject(new Error('nobody is asked')) }

async function hear(provider: typeof web, content: unknown, target: object | null) {
  const body = new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content))
  const to = { attemptId: 'attempt-1', target: target === null ? null : provider.parseTarget(target) }
  return provider.hear?.({ headers: new Headers(), body }, io, 0, to)
}

const hello = { surefoot: 'hello', id: 'fc-1', more: 1 }

test("a kit's hello gives a lost start its id, whatever its body says besides", async () => {
  expect(await hear(functions, hello, { app: 'a', function: 'f', kit: true, terminateContainers: true })).toEqual({
    deliveryId: 'fc-1 hello',
    handle: { call: 'fc-1', stored: 'uploads/attempt-1/output', terminateContainers: true },
    observation: { status: 'running', word: 'hello' },
  })
})

test("a hello from a web endpoint's kit gives the place of its result", async () => {
  const heard = await hear(web, hello, { url: 'https://ws--sharp.modal.run/predict', kit: true })
  expect(heard?.handle).toEqual({
    result: 'https://ws--sharp.modal.run/predict?__modal_function_call_id=fc-1',
    stored: 'uploads/attempt-1/output',
  })
})

test.each([
  ['no JSON', 'hello'],
  ['no hello', { id: 'fc-1' }],
  ['no id of a call', { surefoot: 'hello', id: '../fc-1' }],
])('%s is refused', async (_, content) => {
  const answer = hear(functions, content, { app: 'a', function: 'f', kit: true })
  await expect(answer).rejects.toMatchObject({ status: 422, failure: { code: 'provider_error' } })
})

test('a hello for a deployment that left the configuration is refused', async () => {
  await expect(hear(functions, hello, null)).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})
