import { expect, test } from 'vitest'
import { replicate } from './index.ts'
import { observe } from './observe.ts'
import { predictionSchema, type WirePrediction } from './wire.ts'

function wire(more: object): WirePrediction {
  return predictionSchema.parse({ id: 'p1', status: 'succeeded', ...more })
}

test('unexpected shapes beside id and status count as absent', () => {
  const odd = wire({ logs: 7, metrics: { predict_time: 'long' }, completed_at: false, webhook: [], surprise: 1 })
  expect(observe(odd)).toEqual({
    status: 'succeeded',
    word: 'succeeded',
    progress: null,
    logLength: 0,
    logTail: '',
    outputs: [],
  })
  expect(predictionSchema.safeParse({ error: 'something went wrong' }).success).toBe(false)
  // A word is kept in the record with each change.
  expect(predictionSchema.safeParse({ id: 'p1', status: 'x'.repeat(201) }).success).toBe(false)
  expect(predictionSchema.safeParse({ id: 'x'.repeat(201), status: 'starting' }).success).toBe(false)
})

test('`processing` with a full output is still running', () => {
  expect(observe(wire({ status: 'processing', output: 'https://x.test/a.ply' }))).toMatchObject({ status: 'running' })
})

test.each([
  ['starting', 'booting'],
  ['processing', 'running'],
  ['succeeded', 'succeeded'],
  ['failed', 'failed'],
  ['canceled', 'canceled'],
  ['aborted', 'canceled'],
  ['EXPIRED', 'unclear'],
])('%s is %s', (word, status) => {
  expect(observe(wire({ status: word }))).toMatchObject({ status, word })
})

test('an unknown word with an end stamp is over: with an output it succeeded, without one it failed', () => {
  const ended = { status: 'EXPIRED', completed_at: '2026-01-01T00:00:00Z' }
  expect(observe(wire({ ...ended, output: 'https://x.test/a.ply' })).status).toBe('succeeded')
  expect(observe(wire(ended))).toMatchObject({
    status: 'failed',
    failure: { message: 'The model failed: ended as "EXPIRED".' },
  })
})

test('an output that was removed is lost, whatever is still shown', () => {
  expect(observe(wire({ output: 'https://x.test/a.ply', data_removed: true })).outputs).toEqual([])
})

test.each([
  ['E1001: the model ran out of memory', undefined, 'out_of_memory'],
  ['CUDA out of memory. Tried to allocate 2.50 GiB', undefined, 'out_of_memory'],
  ['torch.cuda.OutOfMemoryError', undefined, 'out_of_memory'],
  ['E6716: timeout starting prediction', undefined, 'boot_timeout'],
  ['Got error trying to upload output files', undefined, 'output_lost'],
  ['Prediction interrupted; please retry (code: PA)', undefined, 'worker_lost'],
  ['CUDA error: an illegal memory access was encountered', undefined, 'worker_lost'],
  ['No CUDA GPUs are available', undefined, 'no_gpu'],
  ['E1000: unknown error', undefined, 'provider_error'],
  ['Prediction timed out', 1800, 'run_timeout'],
  ['expected 3 channels, got 4', 12, 'model_error'],
  [null, undefined, 'model_error'],
])('a failure with the text %j is classified', (error, seconds, code) => {
  expect(observe(wire({ status: 'failed', error, metrics: { predict_time: seconds } })).failure?.code).toBe(code)
})

test('a failure keeps the words of the vendor but no signed URL', () => {
  const error = 'could not fetch https://us.test/files/photo.png?signature=secret'
  expect(observe(wire({ status: 'failed', error })).failure?.message).toBe(
    'The model failed: could not fetch https://us.test/…',
  )
})

test('costs come from the time that the vendor measured', () => {
  const provider = replicate({ token: 't' })
  const done = observe(wire({ metrics: { predict_time: 20, total_time: 80 } }))
  const cost = (target: object) => provider.cost(done, provider.parseTarget(target))
  expect(done.metrics).toEqual({ runMs: 20_000, totalMs: 80_000 })
  expect(cost({ model: 'o/n', hardware: 'gpu-l40s' })).toEqual({ amount: 0.0195, currency: 'USD', estimated: false })
  expect(cost({ deployment: 'o/n', pricePerSecond: 0.001 })).toEqual({ amount: 0.02, currency: 'USD', estimated: true })
  expect(cost({ model: 'o/n' })).toBeNull()
})

test('an aborted prediction costs nothing', () => {
  const provider = replicate({ token: 't' })
  const target = provider.parseTarget({ model: 'o/n', hardware: 'gpu-l40s' })
  expect(provider.cost(observe(wire({ status: 'aborted' })), target)?.amount).toBe(0)
})
