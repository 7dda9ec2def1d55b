import { expect, test } from 'vitest'
import { setup } from './test-support.ts'

const handle = { model: 'abcd1234', id: 'r1' }
const problem = (status: number) => () => Response.json({ error: 'because' }, { status })
const page = (status: number) => () => new Response('<html>', { status, headers: { 'content-type': 'text/html' } })

function open(...answers: (() => Response)[]) {
  const { provider, io, sent } = setup(answers)
  return {
    asked: () => sent.map(({ method, url }) => `${method} ${url}`),
    poll: async (of: object = handle) => provider.poll?.({ ...of }, io),
    cancel: async () => provider.cancel?.(handle, io),
    health: async (target: object = { model: 'abcd1234' }) => provider.health?.(provider.parseTarget(target), io),
  }
}

test.each([
  ['unknown, forgotten after an hour, or of a model that is switched off', problem(404)],
  ['gone for good', problem(410)],
  ['told so in plain text', () => new Response('not found', { status: 404 })],
])('a request that is %s is gone: nothing runs there any more', async (_, answer) => {
  expect(await open(answer).poll()).toEqual({ status: 'gone', word: 'not found' })
})

test.each([
  ['a page in between', page(404), 'deployment_missing'],
  ['an error of the API', problem(500), 'provider_error'],
  ['a refusal that the documents do not know', problem(400), 'input_invalid'],
  ['a page with 200', page(200), 'provider_error'],
  ['an empty object', () => Response.json({}), 'provider_error'],
  ["another request's status", () => Response.json({ request_id: 'r2', status: 'SUCCEEDED' }), 'provider_error'],
])('%s says nothing about a request', async (_, answer, code) => {
  await expect(open(answer).poll()).rejects.toMatchObject({ failure: { code } })
})

test('a handle cannot leave the requests of its model', async () => {
  const { asked, poll } = open(problem(404))
  await poll({ model: 'abcd1234', id: '../production/wake' })
  expect(asked()).toEqual(['GET https://model-abcd1234.api.baseten.co/async_request/..%2Fproduction%2Fwake'])
  await expect(open().poll({ model: 'evil.example/', id: 'r1' })).rejects.toMatchObject({
    failure: { code: 'internal' },
  })
})

test.each([
  ['is done', () => Response.json({ request_id: 'r1', canceled: true, message: 'ok' })],
  ['comes too late or too early', () => Response.json({ request_id: 'r1', canceled: false, message: 'no' })],
  ['finds nothing', problem(404)],
])('a cancel that %s leaves it to polls how it ended', async (_, answer) => {
  const { asked, cancel } = open(answer)
  expect(await cancel()).toBe('requested')
  expect(asked()).toEqual(['DELETE https://model-abcd1234.api.baseten.co/async_request/r1'])
})

test('a cancel that cannot be read was not answered', async () => {
  await expect(open(page(200)).cancel()).rejects.toMatchObject({ failure: { code: 'provider_error' } })
})

const counts = (queued: number, busy: number) => () =>
  Response.json({ model_id: 'm', deployment_id: 'd', num_queued_requests: queued, num_in_progress_requests: busy })

test.each([
  [0, 2, 'ok', 'no request waits'],
  [3, 2, 'queueing', 'wait for a replica to become free'],
  [3, 0, 'queueing', 'none runs: a replica starts, fails to start, or none is allowed'],
])('%d waiting and %d in progress is %s', async (queued, busy, state, words) => {
  const { health } = open(counts(queued, busy))
  expect(await health()).toEqual({ state, message: expect.stringContaining(words), queued, workers: {} })
})

test('the queue is that of the deployment', async () => {
  const { asked, health } = open(counts(0, 0))
  await health({ model: 'abcd1234', environment: 'staging' })
  expect(asked()).toEqual(['GET https://model-abcd1234.api.baseten.co/environments/staging/async_queue_status'])
})

test.each([
  ['what ran', { status: 'succeeded', word: 'SUCCEEDED', metrics: { totalMs: 9_500 } }, 0.01],
  ['what failed', { status: 'failed', word: 'FAILED', metrics: { totalMs: 500 } }, 0.001],
  ['what nobody took', { status: 'failed', word: 'EXPIRED', metrics: { totalMs: 9_500 } }, 0],
  ['what was cancelled in the queue', { status: 'canceled', word: 'CANCELED' }, 0],
] as const)('%s costs its whole seconds', (_, observation, amount) => {
  const target = { model: 'abcd1234', pricePerSecond: 0.001 }
  expect(setup().provider.cost(observation, target)).toEqual({ amount, currency: 'USD', estimated: true })
})

test('without a price or a time the cost is not known', () => {
  const { provider } = setup()
  const over = { status: 'succeeded', word: 'SUCCEEDED', metrics: { totalMs: 9_500 } } as const
  expect(provider.cost(over, { model: 'abcd1234' })).toBeNull()
  expect(provider.cost({ ...over, metrics: {} }, { model: 'abcd1234', hardware: 'l4' })).toBeNull()
})
