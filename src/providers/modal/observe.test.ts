import { expect, test } from 'vitest'
import { type CborValue, encodeCbor } from '../../wire/cbor.ts'
import { grpcError, type Script, setup } from './test-support.ts'

const handle = { call: 'fc-1', function: 'fu-1' }

async function poll(script: Script, more: object = {}, fetch?: typeof globalThis.fetch) {
  const { provider, io } = setup(script, fetch)
  return await provider.poll?.({ ...handle, ...more }, io)
}

/** The answer to a poll for a call that has ended. */
function ended(result: object, more: object = {}): Script {
  return { FunctionGetOutputs: { outputs: [{ result, dataFormat: 4, ...more }], numUnfinishedInputs: 0 } }
}

const returned = (value: CborValue) => ended({ status: 1, data: encodeCbor(value) })

test('a poll asks for the result without waiting and without clearing it', async () => {
  const { provider, io, sent } = setup(returned('https://x.test/a.ply'))
  await provider.poll?.(handle, io)
  expect(sent.map(({ name }) => name)).toEqual(['FunctionGetOutputs'])
  expect(sent[0]?.request).toMatchObject({
    functionCallId: 'fc-1',
    maxValues: 1,
    timeout: 0,
    lastEntryId: '0-0',
    clearOnSuccess: false,
  })
})

test.each([
  [1, 'succeeded', 'SUCCESS', undefined],
  [2, 'failed', 'FAILURE', 'model_error'],
  [3, 'canceled', 'TERMINATED', undefined],
  [4, 'failed', 'TIMEOUT', 'run_timeout'],
  [5, 'failed', 'INIT_FAILURE', 'boot_timeout'],
  [6, 'failed', 'INTERNAL_FAILURE', 'provider_error'],
  [7, 'failed', 'IDLE_TIMEOUT', 'worker_lost'],
  [8, 'failed', 'MEMORY_MANAGER_EVICTION', 'worker_lost'],
  [0, 'failed', 'UNSPECIFIED', 'provider_error'],
  [99, 'failed', 'status 99', 'provider_error'],
])('the raw status %d, of which the SDK shows less, is %s', async (status, expected, word, code) => {
  const seen = await poll(ended({ status, exception: 'because' }))
  expect(seen).toMatchObject({ status: expected, word })
  expect(seen?.failure?.code).toBe(code)
})

test.each([
  ["OutOfMemoryError('CUDA out of memory. Tried to allocate 2 GiB')", 'out_of_memory'],
  ['MemoryError()', 'out_of_memory'],
  ["RuntimeError('No CUDA GPUs are available')", 'no_gpu'],
  ["RuntimeError('CUDA error: an illegal memory access was encountered')", 'worker_lost'],
  ["ClientError('An error occurred (AccessDenied) when calling the PutObject operation')", 'output_lost'],
  ["ValueError('no face found')", 'model_error'],
  ['', 'model_error'],
])('the exception "%s" is %s', async (exception, code) => {
  expect((await poll(ended({ status: 2, exception })))?.failure).toMatchObject({ code })
})

test("a timeout is the function's own, and the advice says how to change it", async () => {
  const exception = "Task's current input in-1 hit its timeout of 300s"
  expect((await poll(ended({ status: 4, exception })))?.failure).toMatchObject({
    code: 'run_timeout',
    message: `Modal ended the run at the function's own limit: ${exception}.`,
    advice: expect.stringContaining('timeout='),
  })
})

test('neither work nor result is gone, which the SDK takes for still running', async () => {
  expect(await poll({ FunctionGetOutputs: { outputs: [], numUnfinishedInputs: 0 } })).toEqual({
    status: 'gone',
    word: 'EXPIRED',
  })
  expect(await poll({ FunctionGetOutputs: grpcError(5, 'not found') })).toEqual({ status: 'gone', word: 'NOT_FOUND' })
})

const unfinished = { FunctionGetOutputs: { outputs: [], numUnfinishedInputs: 1 } }

test.each<[string, Script, string]>([
  [
    'a container has begun with it',
    { FunctionCallGetInfo: { info: { pendingInputs: { latest: [{ startedAt: 1.5 }] } } } },
    'running',
  ],
  ['none has', { FunctionCallGetInfo: { info: { pendingInputs: { latest: [{ startedAt: 0 }] } } } }, 'queued'],
  ['the vendor does not say', { FunctionCallGetInfo: { info: undefined } }, 'queued'],
  ['the vendor does not want to say', { FunctionCallGetInfo: grpcError(7, 'internal RPC') }, 'queued'],
])('a call without a result, where %s, is %s', async (_, script, status) => {
  expect(await poll({ ...unfinished, ...script })).toMatchObject({ status })
})

test("a call that is known from a kit's hello only is not asked about further", async () => {
  const { provider, io, sent } = setup(unfinished)
  expect(await provider.poll?.({ call: 'fc-1', stored: 'uploads/a/output' }, io)).toMatchObject({ status: 'queued' })
  expect(sent).toHaveLength(1)
})

test.each<[CborValue, object[]]>([
  ['https://x.test/a.ply', [{ kind: 'url', url: 'https://x.test/a.ply' }]],
  [{ url: 'https://x.test/a.ply', seed: 1 }, [{ kind: 'url', url: 'https://x.test/a.ply' }]],
  [new Uint8Array([1, 2]), [{ kind: 'data', uri: 'data:application/octet-stream;base64,AQI=' }]],
  [
    { data: new Uint8Array([1, 2]), name: 'a.ply' },
    [{ kind: 'data', uri: 'data:application/octet-stream;base64,AQI=' }],
  ],
  [
    [new Uint8Array([1]), 'https://x.test/b.ply'],
    [
      { kind: 'data', uri: 'data:application/octet-stream;base64,AQ==' },
      { kind: 'url', url: 'https://x.test/b.ply' },
    ],
  ],
  ['done', [{ kind: 'data', uri: 'data:text/plain;base64,ZG9uZQ==' }]],
  [null, []],
  [{}, []],
  [new Uint8Array(), []],
])('what the function returned, %j, becomes outputs', async (value, outputs) => {
  expect(await poll(returned(value))).toEqual({ status: 'succeeded', word: 'SUCCESS', outputs })
})

test("our kit's success names where its upload lands, and what it returned is not even fetched", async () => {
  const stored = 'uploads/attempt-1/output'
  expect(await poll(ended({ status: 1, dataBlobId: 'bl-1' }), { stored })).toEqual({
    status: 'succeeded',
    word: 'SUCCESS',
    outputs: [{ kind: 'stored', key: stored }],
  })
})

test.each([
  [1, 'a pickle'],
  [3, 'the end of a generator'],
  [9, 'unknown format (9)'],
])('a result in the format %d cannot be read, and the failure says what to return', async (dataFormat, words) => {
  expect(await poll(ended({ status: 1, data: new Uint8Array([1]) }, { dataFormat }))).toMatchObject({
    status: 'failed',
    failure: { code: 'output_lost', message: expect.stringContaining(words), advice: expect.stringMatching('Return') },
  })
})

test('a result that is no CBOR is lost', async () => {
  const seen = await poll(ended({ status: 1, data: new Uint8Array([0x18]) }))
  expect(seen).toMatchObject({ status: 'failed', failure: { code: 'output_lost' } })
})

const inBlob: Script = {
  ...ended({ status: 1, dataBlobId: 'bl-1' }),
  BlobGet: { downloadUrl: 'https://blobs.test/bl-1?signature=1' },
}

test('a result in a blob is fetched, without a secret and without following redirects', async () => {
  const asked: Request[] = []
  const seen = await poll(inBlob, {}, async (input, init) => {
    asked.push(new Request(input, init))
    return new Response(encodeCbor('https://x.test/a.ply'))
  })
  expect(seen?.outputs).toEqual([{ kind: 'url', url: 'https://x.test/a.ply' }])
  expect(asked.map(({ url, redirect, headers }) => [url, redirect, [...headers]])).toEqual([
    ['https://blobs.test/bl-1?signature=1', 'manual', []],
  ])
})

test('a result in a blob that is larger than we hold in memory is not read to its end', async () => {
  let served = 0
  const chunk = new Uint8Array(1024 * 1024)
  const endless = new ReadableStream({
    pull(controller) {
      served += 1
      controller.enqueue(chunk)
    },
  })
  const seen = await poll(inBlob, {}, async () => new Response(endless))
  expect(seen).toMatchObject({ status: 'failed', failure: { code: 'output_too_large' } })
  expect(served).toBeLessThan(40)
})

test.each<[string, Script, (() => Promise<Response>) | undefined]>([
  ['the store does not answer', {}, () => Promise.reject(new TypeError('fetch failed'))],
  ['the store refuses it', {}, async () => new Response(null, { status: 403 })],
  ['its address is plain http', { BlobGet: { downloadUrl: 'http://blobs.test/1' } }, undefined],
  ['its address is not told', { BlobGet: grpcError(13, 'because') }, undefined],
])('where a blob cannot be fetched because %s, the poll failed and the run did not', async (_, script, fetch) => {
  await expect(poll({ ...inBlob, ...script }, {}, fetch)).rejects.toMatchObject({ name: 'SurefootError' })
})

test('times become metrics, and restarts a word', async () => {
  const times = { inputStartedAt: 1_700_000_000.5, outputCreatedAt: 1_700_000_010.75, retryCount: 2 }
  expect(await poll(ended({ status: 1 }, times))).toEqual({
    status: 'succeeded',
    word: 'SUCCESS (begun again: 2)',
    metrics: { runMs: 10_250 },
    outputs: [],
  })
  const backwards = { inputStartedAt: 2, outputCreatedAt: 1 }
  expect((await poll(ended({ status: 3 }, backwards)))?.metrics).toBeUndefined()
})

test('an answer of an unknown shape is no answer', async () => {
  await expect(poll({ FunctionGetOutputs: { outputs: 'none' } })).rejects.toMatchObject({
    failure: { code: 'provider_error' },
  })
})
