import { expect, test } from 'vitest'
import { observe, observeHealth } from './observe.ts'

const seen = (more: object, stored: string | null = null) => observe({ status: 'succeeded', ...more }, stored, 'Cog')

test.each([
  ['starting', 'running'],
  ['processing', 'running'],
  ['canceled', 'canceled'],
  ['failed', 'failed'],
  ['paused', 'unclear'],
])('%s is %s', (status, expected) => {
  expect(seen({ status })).toMatchObject({ status: expected, word: status })
})

test('progress, the length of the log and its end are read from the log', () => {
  const logs = `${'x'.repeat(5000)}\nsharp:  40%|████      | 2/5`
  const observation = seen({ status: 'processing', logs })
  expect(observation).toMatchObject({ progress: { stage: 'sharp', fraction: 0.4 }, logLength: logs.length })
  expect(observation.logTail).toHaveLength(4000)
})

test('a run took as long as the server says', () => {
  expect(seen({ metrics: { predict_time: 1.5 } }).metrics).toEqual({ runMs: 1500 })
  expect(seen({ metrics: {} })).not.toHaveProperty('metrics')
  const [started_at, completed_at] = ['2026-11-24T10:36:07.449688+00:00', '2026-11-24T10:36:07.588194+00:00']
  expect(seen({ status: 'failed', metrics: null, started_at, completed_at }).metrics).toEqual({ runMs: 139 })
  expect(seen({ status: 'processing', started_at, completed_at: null })).not.toHaveProperty('metrics')
  expect(seen({ started_at: completed_at, completed_at: started_at })).not.toHaveProperty('metrics')
})

test.each([
  ['data:image/png;base64,AAAA', [{ kind: 'data', uri: 'data:image/png;base64,AAAA' }]],
  [['https://s3.test/a.ply'], [{ kind: 'url', url: 'https://s3.test/a.ply' }]],
  [null, []],
  [undefined, []],
  [[], []],
  [{}, []],
])('the output %j is %j', (output, outputs) => {
  expect(seen({ output })).toMatchObject({ status: 'succeeded', outputs })
})

test("a kit's success names the upload, whatever the model answered", () => {
  expect(seen({ output: '/tmp/x' }, 'uploads/a/output')).toMatchObject({
    status: 'succeeded',
    outputs: [{ kind: 'stored', key: 'uploads/a/output' }],
  })
})

test.each(['/tmp/tmpab12/out.webp', 'file:///tmp/out.webp', '/src/outputs/my file.ply'])(
  'a path inside the container (%s) is no result, and the failure says what is missing',
  path => {
    expect(seen({ output: { files: [path] } })).toMatchObject({
      status: 'failed',
      failure: { code: 'output_lost', advice: expect.stringMatching('--upload-url') },
    })
  },
)

test('an answer in words that begins with a slash is an answer', () => {
  expect(seen({ output: '/imagine a castle' }).status).toBe('succeeded')
})

test.each([
  ['CUDA out of memory. Tried to allocate 2.50 GiB', 'out_of_memory'],
  ['No CUDA GPUs are available', 'no_gpu'],
  ['Worker crashed', 'worker_lost'],
  ['Failed to send request: channel closed', 'worker_lost'],
  ['Prediction failed for an unknown reason. It might have run out of memory? (exitcode -11)', 'worker_lost'],
  ['Prediction failed for an unknown reason. It might have run out of memory? (exitcode -9)', 'out_of_memory'],
  ['CUDA error: an illegal memory access was encountered', 'worker_lost'],
  ['Failed to upload output: upload returned status 403 Forbidden', 'output_lost'],
  ['Input validation error: Input must be a JSON object', 'input_invalid'],
  ['no face found', 'model_error'],
  [undefined, 'model_error'],
])('the error %j is %s', (error, code) => {
  expect(seen({ status: 'failed', error }).failure?.code).toBe(code)
})

test("the server's own prefix, which comes twice, is no part of what the model said", () => {
  const error = 'Prediction failed: Prediction failed: ValueError: no face found'
  expect(seen({ status: 'failed', error }).failure?.message).toBe('The model failed: ValueError: no face found.')
})

test.each([
  ['BUSY', 'running'],
  ['READY', 'unclear'],
  ['STARTING', 'unclear'],
  ['UNHEALTHY', 'unclear'],
  ['UNKNOWN', 'unclear'],
  ['HIBERNATING', 'unclear'],
  ['DEFUNCT', 'failed'],
  ['SETUP_FAILED', 'failed'],
])('a server that is %s says "%s" of a run', (status, expected) => {
  expect(observeHealth({ status }, 'Cog')).toMatchObject({ status: expected, word: status })
})

test('only a server that is free again makes it likely that the run has ended unheard', () => {
  const hinted = ['READY', 'BUSY', 'STARTING', 'UNKNOWN', 'DEFUNCT'].filter(
    status => observeHealth({ status }, 'Cog').hint !== undefined,
  )
  expect(hinted).toEqual(['READY'])
  expect(observeHealth({ status: 'READY' }, 'Cog').hint?.advice).toContain('public URL')
})
