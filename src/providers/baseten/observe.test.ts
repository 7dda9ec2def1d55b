import fc from 'fast-check'
import { expect, test } from 'vitest'
import { observe } from './observe.ts'
import { statusSchema } from './wire.ts'

const key = 'uploads/attempt-1/output'
const times = { created_at: '2026-01-01T00:00:00Z', status_at: '2026-01-01T00:00:09.500Z' }

function see(more: object, stored: string | null = null) {
  return observe(
    statusSchema.parse({ request_id: 'r1', webhook_status: 'PENDING', errors: [], ...times, ...more }),
    stored,
  )
}

test.each([
  ['QUEUED', 'queued'],
  ['IN_PROGRESS', 'running'],
  ['CANCELED', 'canceled'],
  ['SOMETHING_NEW', 'unclear'],
])('%s is %s', (status, expected) => {
  expect(see({ status })).toEqual({ status: expected, word: status })
})

test("a kit's success names its upload, whatever became of the webhook", () => {
  const expected = { status: 'succeeded', outputs: [{ kind: 'stored', key }], metrics: { totalMs: 9_500 } }
  for (const webhook_status of ['PENDING', 'SUCCEEDED', 'FAILED', 'NO_WEBHOOK_PROVIDED', undefined])
    expect(see({ status: 'SUCCEEDED', webhook_status }, key)).toEqual({ word: 'SUCCEEDED', ...expected })
  expect(see({ status: 'WEBHOOK_FAILED' }, key)).toEqual({ word: 'WEBHOOK_FAILED', ...expected })
})

test.each([['PENDING'], ['A_NEW_WORD'], [undefined]])(
  'without a kit, a success whose webhook is %s is not over: its result may be on its way',
  webhook_status => {
    expect(see({ status: 'SUCCEEDED', webhook_status })).toEqual({ status: 'running', word: 'SUCCEEDED' })
  },
)

test.each([
  ['SUCCEEDED', 'SUCCEEDED', 'taken by something that is not Surefoot'],
  ['SUCCEEDED', 'FAILED', 'could not be delivered'],
  ['SUCCEEDED', 'CANCELED', 'was cancelled'],
  ['SUCCEEDED', 'NO_WEBHOOK_PROVIDED', 'has no webhook'],
  ['WEBHOOK_FAILED', 'FAILED', 'could not be delivered'],
  ['WEBHOOK_FAILED', undefined, 'could not be delivered'],
  ['WEBHOOK_FAILED', 'PENDING', 'could not be delivered'],
])('without a kit, %s with webhook %s is a result that is lost, and says so', (status, webhook_status, words) => {
  expect(see({ status, webhook_status })).toMatchObject({
    status: 'failed',
    failure: { code: 'output_lost', message: expect.stringContaining(words) },
    metrics: { totalMs: 9_500 },
  })
})

test.each([
  ['MODEL_PREDICT_ERROR', 'Internal Server Error (in model/chainlet).', 'model_error'],
  ['MODEL_PREDICT_ERROR', 'torch.OutOfMemoryError: CUDA out of memory', 'out_of_memory'],
  ['MODEL_PREDICT_ERROR', 'CUDA error: an illegal memory access was encountered', 'worker_lost'],
  ['MODEL_PREDICT_ERROR', 'Error making prediction', 'worker_lost'],
  ['MODEL_PREDICT_ERROR', 'No CUDA GPUs are available', 'no_gpu'],
  ['MODEL_PREDICT_ERROR', 'Could not upload the output: 403', 'output_lost'],
  ['MODEL_PREDICT_TIMEOUT', 'too long', 'run_timeout'],
  ['MODEL_NOT_READY', 'not yet', 'boot_timeout'],
  ['MODEL_DOES_NOT_EXIST', '', 'deployment_missing'],
  ['MODEL_UNAVAILABLE', '', 'no_capacity'],
  ['MODEL_INVALID_INPUT', 'image is required', 'input_invalid'],
  ['ASYNC_REQUEST_NOT_SUPPORTED', '', 'deployment_missing'],
  ['INTERNAL_SERVER_ERROR', '', 'provider_error'],
  ['SOMETHING_NEW', 'out of memory', 'provider_error'],
])('FAILED by %s (%s) is %s', (code, message, expected) => {
  const { failure, ...rest } = see({ status: 'FAILED', errors: [{ code, message }] })
  expect(rest).toEqual({ status: 'failed', word: 'FAILED', metrics: { totalMs: 9_500 } })
  expect(failure?.code).toBe(expected)
  expect(failure?.message).toMatch(/[^ ]\.$/)
})

test('FAILED without a reason is still the model', () => {
  expect(see({ status: 'FAILED', errors: 'none' })).toMatchObject({ failure: { code: 'model_error' } })
})

test('a webhook that failed besides an error is that error', () => {
  const errors = [{ code: 'MODEL_PREDICT_ERROR', message: 'CUDA out of memory' }]
  expect(see({ status: 'WEBHOOK_FAILED', errors }, key)).toMatchObject({ failure: { code: 'out_of_memory' } })
})

test('EXPIRED says how long nobody took it', () => {
  expect(see({ status: 'EXPIRED' })).toMatchObject({
    status: 'failed',
    failure: { code: 'queue_timeout', message: 'No replica took the request within 10 s (EXPIRED).' },
  })
})

test.each([
  ['no times', { created_at: undefined, status_at: undefined }],
  ['times that are none', { created_at: 'yesterday', status_at: 7 }],
  ['an end before the beginning', { created_at: times.status_at, status_at: times.created_at }],
  ['a year between', { created_at: '2025-01-01T00:00:00Z' }],
])('with %s nothing is counted', (_, more) => {
  expect(see({ status: 'FAILED', ...more })).not.toHaveProperty('metrics')
})

test('times without a zone are UTC', () => {
  const status = {
    status: 'SUCCEEDED',
    created_at: '2026-01-01T00:00:00.000001',
    status_at: '2026-01-01T00:00:01+00:00',
  }
  expect(see(status, key)).toMatchObject({ metrics: { totalMs: 1000 } })
})

test('whatever else stands in a status, it is read', () => {
  const anything = fc.dictionary(
    fc.constantFrom('webhook_status', 'created_at', 'status_at', 'errors', 'model_id'),
    fc.jsonValue(),
  )
  const words = fc.constantFrom('QUEUED', 'IN_PROGRESS', 'SUCCEEDED', 'FAILED', 'EXPIRED', 'CANCELED', 'WEBHOOK_FAILED')
  fc.assert(
    fc.property(words, anything, fc.boolean(), (status, more, isKit) => {
      const seen = see({ ...more, status }, isKit ? key : null)
      expect(seen.word).toBe(status)
      if (seen.status === 'failed') expect(seen.failure?.message).not.toBe('')
      if (seen.status === 'succeeded') expect(seen.outputs).toEqual([{ kind: 'stored', key }])
    }),
  )
})
