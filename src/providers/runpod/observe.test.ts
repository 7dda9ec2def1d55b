import { expect, test } from 'vitest'
import { observe } from './observe.ts'
import { progressOf } from './progress.ts'
import { jobSchema, type WireJob } from './wire.ts'

function wire(more: object): WireJob {
  return jobSchema.parse({ id: 'j1', status: 'COMPLETED', ...more })
}

test.each([
  ['IN_QUEUE', 'queued'],
  ['IN_PROGRESS', 'running'],
  ['RUNNING', 'running'],
  ['COMPLETED', 'succeeded'],
  ['FAILED', 'failed'],
  ['CANCELLED', 'canceled'],
  ['TIMED_OUT', 'failed'],
  ['EXPIRED', 'unclear'],
])('%s is %s', (word, status) => {
  expect(observe(wire({ status: word }), null)).toMatchObject({ status, word })
})

test('unexpected shapes beside id and status count as absent', () => {
  expect(observe(wire({ delayTime: 'long', executionTime: null, retries: [] }), null)).toEqual({
    status: 'succeeded',
    word: 'COMPLETED',
    outputs: [],
  })
  expect(wire({ executionTime: 1e300 }).executionTime).toBeUndefined()
  expect(jobSchema.safeParse({ error: 'something went wrong' }).success).toBe(false)
  // A word is kept in the record with each change.
  expect(jobSchema.safeParse({ id: 'j1', status: 'x'.repeat(201) }).success).toBe(false)
  expect(jobSchema.safeParse({ id: 'x'.repeat(201), status: 'COMPLETED' }).success).toBe(false)
})

test('an output while it is in progress is a progress update, even one that looks like a result', () => {
  const seen = observe(wire({ status: 'IN_PROGRESS', output: { image_url: 'https://x.test/a.ply' } }), null)
  expect(seen).toMatchObject({ status: 'running', word: 'IN_PROGRESS' })
  expect(seen.outputs).toBeUndefined()
})

test('COMPLETED without an output has no result; of our kit it names where the upload lands, whatever it answers', () => {
  expect(observe(wire({}), null)).toEqual({ status: 'succeeded', word: 'COMPLETED', outputs: [] })
  for (const output of [undefined, null, {}, { uploaded: true }])
    expect(observe(wire({ output }), 'uploads/a1/output').outputs).toEqual([
      { kind: 'stored', key: 'uploads/a1/output' },
    ])
})

test('an exception whose type is made to be searched for ever is not', () => {
  const error = { error_type: `${'a'.repeat(5_000_000)}!`, error_message: 'no face found' }
  expect(observe(wire({ status: 'FAILED', error }), null).failure?.message).toBe('The handler failed: no face found.')
})

test('times become metrics', () => {
  expect(observe(wire({ delayTime: 31_618, executionTime: 1437 }), null).metrics).toEqual({
    runMs: 1437,
    totalMs: 33_055,
  })
  expect(observe(wire({ status: 'IN_PROGRESS', delayTime: 5 }), null).metrics).toEqual({ totalMs: 5 })
})

test.each([
  [{ executionTime: 600_000 }, 'run_timeout', 'RunPod ended the job after 600 s on a worker (TIMED_OUT).'],
  [{ delayTime: 90_000 }, 'queue_timeout', 'No worker of the endpoint took the job within 90 s (TIMED_OUT).'],
  [{ executionTime: 0 }, 'queue_timeout', 'No worker of the endpoint took the job (TIMED_OUT).'],
])('TIMED_OUT with %j is %s', (times, code, message) => {
  expect(observe(wire({ status: 'TIMED_OUT', ...times }), null).failure).toMatchObject({ code, message })
})

const exception = (type: string, message: string) =>
  JSON.stringify({ error_type: `<class '${type}'>`, error_message: message, error_traceback: 'File "/secret/path.py"' })

test.each([
  [exception('torch.OutOfMemoryError', 'CUDA out of memory. Tried to allocate 2 GiB'), 'out_of_memory'],
  [exception('MemoryError', ''), 'out_of_memory'],
  [JSON.stringify(exception('RuntimeError', 'CUDA error: an illegal memory access was encountered')), 'worker_lost'],
  [exception('RuntimeError', 'No CUDA GPUs are available'), 'no_gpu'],
  [exception('ClientError', 'An error occurred (AccessDenied) when calling the PutObject operation'), 'output_lost'],
  ['execution timeout exceeded', 'run_timeout'],
  [exception('ValueError', 'no face found'), 'model_error'],
  ['plain words', 'model_error'],
  ['12', 'model_error'],
  [{ error_message: 'an object, not a text' }, 'model_error'],
  [undefined, 'model_error'],
])('FAILED with %j is %s', (error, code) => {
  expect(observe(wire({ status: 'FAILED', error }), null).failure).toMatchObject({ code })
})

test('a failure says the type and the message of the exception, once unwrapped, and no traceback', () => {
  const message = (error: unknown) => observe(wire({ status: 'FAILED', error }), null).failure?.message
  const error = exception('mypackage.NoFace', 'no face found')
  expect(message(error)).toBe('The handler failed: NoFace: no face found.')
  expect(message(JSON.stringify(error))).toBe('The handler failed: NoFace: no face found.')
  expect(message(undefined)).toBe('The handler failed without saying why.')
})

test("a path on the worker's disk is no result, and the failure says what is missing", () => {
  const seen = observe(wire({ output: { url: 'simulated_uploaded/ab12cd34.png' } }), null)
  expect(seen).toMatchObject({
    status: 'failed',
    failure: { code: 'output_lost', advice: expect.stringMatching('BUCKET_ENDPOINT_URL') },
  })
})

test.each([
  [
    { stage: 'predicting', fraction: 0.4 },
    { stage: 'predicting', fraction: 0.4 },
  ],
  [{ fraction: 0.4 }, { stage: null, fraction: 0.4 }],
  [{ pct: 40 }, { stage: null, fraction: 0.4 }],
  [{ progress: 0.4 }, { stage: null, fraction: 0.4 }],
  [{ progress: 40 }, { stage: null, fraction: 0.4 }],
  [{ percent: 250 }, { stage: null, fraction: 1 }],
  ['Step 4, 40.0 %', { stage: null, fraction: 0.4 }],
  ['loading model', { stage: 'loading model', fraction: null }],
  [{ step: 4 }, { stage: '{"step":4}', fraction: null }],
  [undefined, null],
  ['', null],
  ['PUT https://us.test/v1/uploads/a1/output?signature=s3cr3t', { stage: 'PUT https://us.test/…', fraction: null }],
])('the progress update %j is %j', (update, progress) => {
  expect(progressOf(update)).toEqual(progress)
})
