import { expect, test } from 'vitest'
import { decodeCbor } from '../../wire/cbor.ts'
import { file, found, grpcError, job, type Script, type SentRpc, setup } from './test-support.ts'

/** The one input of the call that was sent. */
function inputOf(sent: readonly SentRpc[]) {
  const { pipelinedInputs } = sent.find(({ name }) => name === 'FunctionMap')?.request ?? {}
  const [item] = pipelinedInputs as { input: { args?: Uint8Array; argsBlobId?: string; methodName?: string } }[]
  return { ...item?.input, value: item?.input.args === undefined ? undefined : decodeCbor(item.input.args) }
}

test('a start looks the function up and spawns it once, for nobody to wait for, with the input as keyword arguments', async () => {
  const { provider, io, sent } = setup(found)
  expect(await provider.start(job(), io)).toEqual({
    kind: 'accepted',
    handle: { call: 'fc-1', function: 'fu-1' },
    seen: { status: 'queued', word: 'SPAWNED' },
  })
  expect(sent.map(({ name }) => name)).toEqual(['FunctionGet', 'FunctionMap'])
  expect(sent[0]?.request).toMatchObject({ appName: 'sharp', objectTag: 'predict', environmentName: '' })
  expect(sent[1]?.request).toMatchObject({
    functionId: 'fu-1',
    functionCallType: 1,
    functionCallInvocationType: 3,
  })
  expect(inputOf(sent).value).toEqual([[], { focal_length: 30, image: 'data:image/jpeg;base64,QUFB' }])
})

test('every start of an attempt has the same idempotency key, and those of other attempts have others', async () => {
  const { provider, io, sent } = setup(found)
  const other = { attemptId: 'attempt-2', secret: 'whisper' }
  for (const more of [{}, {}, { marker: other }]) await provider.start(job(more), io)
  const keys = sent.filter(({ name }) => name === 'FunctionMap').map(({ metadata }) => metadata)
  expect(keys[0]).toEqual([['x-idempotency-key', [expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)]]])
  expect(keys[1]).toEqual(keys[0])
  expect(keys[2]).not.toEqual(keys[0])
})

test.each([
  [{ arguments: 'dict' }, [[{ focal_length: 30, image: 'data:image/jpeg;base64,QUFB' }], {}]],
  [{ inputs: { image: 'photo' } }, [[], { focal_length: 30, photo: 'data:image/jpeg;base64,QUFB' }]],
  [{ files: 'bytes', inputs: { image: 'photo' } }, [[], { focal_length: 30, photo: new Uint8Array([65, 65, 65]) }]],
])('the input arrives as the target says: %j', async (more, value) => {
  const { provider, io, sent } = setup(found)
  await provider.start(job({ target: { app: 'sharp', function: 'predict', ...more } }), io)
  expect(inputOf(sent).value).toEqual(value)
})

test('our kit gets the attempt, a link to upload to and an address to say hello to; its handle knows where the output lands', async () => {
  const { provider, io, sent } = setup(found)
  const answer = await provider.start(job({ target: { app: 'sharp', function: 'predict', kit: true } }), io)
  expect(inputOf(sent).value).toMatchObject([
    [],
    {
      surefoot: {
        attempt: 'attempt-1',
        upload: { url: 'https://us.test/uploads/output?signature=1' },
        hello: 'https://us.test/hooks/whisper',
      },
    },
  ])
  expect(answer).toMatchObject({ handle: { stored: 'uploads/attempt-1/output' } })
})

test.each([
  ['there is no public URL', { uploadUrl: () => null, webhookUrl: null }],
  ['the URL is plain http', { uploadUrl: () => 'http://us.test/up', webhookUrl: 'http://us.test/hook' }],
])('our kit is refused before anything is sent when %s', async (_, more) => {
  const { provider, io, sent } = setup({})
  const answer = await provider.start(job({ target: { app: 'sharp', function: 'predict', kit: true }, ...more }), io)
  expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'no_route_for_bytes' } })
  expect(sent).toEqual([])
})

test('a method is spawned by its class, under its name', async () => {
  const { provider, io, sent } = setup(found)
  await provider.start(job({ target: { app: 'sharp', function: 'Model.predict', environment: 'main' } }), io)
  expect(sent[0]?.request).toMatchObject({ objectTag: 'Model.*', environmentName: 'main' })
  expect(inputOf(sent).methodName).toBe('predict')
})

const web = { functionId: 'fu-1', handleMetadata: { webUrl: 'https://x.modal.run' } }
const old = { functionId: 'fu-1', handleMetadata: { supportedInputFormats: [1] } }
const withParameters = { functionId: 'fu-1', handleMetadata: { classParameterInfo: { schema: [{ name: 'size' }] } } }
const otherMethod = { functionId: 'fu-1', handleMetadata: { methodHandleMetadata: { train: {} } } }

test.each([
  ['is a web endpoint', 'predict', web, 'web endpoint'],
  ['takes pickles only', 'predict', old, 'too old'],
  ['is of a class with parameters', 'Model.predict', withParameters, 'has parameters'],
  ['is a method that its class does not have', 'Model.predict', otherMethod, 'no such method'],
  ['is not there', 'predict', grpcError(5, 'Function not found'), 'NOT_FOUND: Function not found.'],
])('a function that %s is refused, and nothing is started', async (_, name, answer, words) => {
  const { provider, io, sent } = setup({ ...found, FunctionGet: answer })
  expect(await provider.start(job({ target: { app: 'sharp', function: name } }), io)).toMatchObject({
    kind: 'rejected',
    failure: { code: 'deployment_missing', message: expect.stringContaining(words) },
  })
  expect(sent).toHaveLength(1)
})

test('an input over 8 KiB goes by blob, with its checksums, and without a secret', async () => {
  const puts: Request[] = []
  const { provider, io, sent } = setup(
    { ...found, BlobCreate: { blobId: 'bl-1', uploadUrl: 'https://blobs.test/bl-1?signature=1' } },
    async (input, init) => {
      puts.push(new Request(input, init))
      return new Response(null, { status: 200 })
    },
  )
  const answer = await provider.start(job({ files: { image: file(9000) } }), io)
  expect(answer.kind).toBe('accepted')
  expect(sent.map(({ name }) => name)).toEqual(['FunctionGet', 'BlobCreate', 'FunctionMap'])
  expect(inputOf(sent)).toMatchObject({ argsBlobId: 'bl-1', value: undefined })
  const [put] = puts
  const body = await put?.bytes()
  expect([put?.method, put?.url, put?.headers.get('content-md5')]).toEqual([
    'PUT',
    'https://blobs.test/bl-1?signature=1',
    sent[1]?.request.contentMd5,
  ])
  expect(sent[1]?.request.contentLength).toBe(body?.byteLength)
  expect(JSON.stringify([...(put?.headers ?? [])])).not.toContain('as-secret')
})

test.each<[string, Script, (() => Promise<Response>) | undefined]>([
  ['in several parts, which it would want', { BlobCreate: { blobId: 'bl-1', multipart: {} } }, undefined],
  ['to plain http', { BlobCreate: { blobId: 'bl-1', uploadUrl: 'http://blobs.test/1' } }, undefined],
  ['because the store refuses it', blobAt(), async () => new Response(null, { status: 403 })],
  ['because the store cannot be reached', blobAt(), () => Promise.reject(new TypeError('fetch failed'))],
])('an input that cannot be uploaded %s is refused, and nothing is started', async (_, script, fetch) => {
  const { provider, io, sent } = setup({ ...found, ...script }, fetch)
  expect((await provider.start(job({ files: { image: file(9000) } }), io)).kind).toBe('rejected')
  expect(sent.map(({ name }) => name)).not.toContain('FunctionMap')
})

function blobAt(): Script {
  return { BlobCreate: { blobId: 'bl-1', uploadUrl: 'https://blobs.test/1' } }
}

test.each(['url', 'bytes'])(
  'files that would have to travel inside the call, as %s, are refused unread when too large',
  async files => {
    const { provider, io, sent } = setup({})
    const large = { ...file(0), bytes: 40_000_000, open: () => Promise.reject(new Error('nobody should read this')) }
    const answer = await provider.start(job({ target: { app: 'a', function: 'f', files }, files: { large } }), io)
    expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'no_route_for_bytes' } })
    expect(sent).toEqual([])
  },
)

test.each([
  [1, 'unknown', 'start_unknown'],
  [2, 'unknown', 'start_unknown'],
  [3, 'rejected', 'input_invalid'],
  [4, 'unknown', 'start_unknown'],
  [5, 'rejected', 'deployment_missing'],
  [6, 'unknown', 'start_unknown'],
  [7, 'rejected', 'auth_rejected'],
  [8, 'rejected', 'rate_limited'],
  [9, 'rejected', 'provider_error'],
  [10, 'unknown', 'start_unknown'],
  [11, 'rejected', 'input_invalid'],
  [12, 'rejected', 'provider_error'],
  [13, 'unknown', 'start_unknown'],
  [14, 'unknown', 'start_unknown'],
  [15, 'unknown', 'start_unknown'],
  [16, 'rejected', 'auth_rejected'],
  [99, 'unknown', 'start_unknown'],
])('a spawn that fails with the status %d is %s, and sent once', async (code, kind, expected) => {
  const { provider, io, sent } = setup({ ...found, FunctionMap: grpcError(code, 'because') })
  expect(await provider.start(job(), io)).toMatchObject({ kind, failure: { code: expected } })
  expect(sent).toHaveLength(2)
})

test.each([
  [14, 'No connection established. Last error: connect ECONNREFUSED', 'rejected', 'provider_unreachable'],
  [14, 'Name resolution failed for target dns:api.modal.com:443', 'rejected', 'provider_unreachable'],
  [14, 'Connection dropped', 'unknown', 'start_unknown'],
  [14, 'read ECONNRESET', 'unknown', 'start_unknown'],
  [8, 'Received message larger than max (560230243 vs 104857600)', 'unknown', 'start_unknown'],
  [9, 'The workspace has reached its spend limit', 'rejected', 'payment_required'],
  [9, 'App is stopped', 'rejected', 'deployment_missing'],
  [7, 'Workspace is disabled', 'rejected', 'account_locked'],
  [3, 'Input exceeds the maximum size', 'rejected', 'input_too_large'],
])('a spawn that fails with %d "%s" is %s', async (code, details, kind, expected) => {
  const { provider, io } = setup({ ...found, FunctionMap: grpcError(code, details) })
  expect(await provider.start(job(), io)).toMatchObject({ kind, failure: { code: expected } })
})

test.each([
  [
    'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:9354. Resolution note:',
    ' (ECONNREFUSED)',
  ],
  ['Name resolution failed for target dns:api.modal.com:443', ''],
])('that nothing answers there is said in plain words, not in those of gRPC: %s', async (details, code) => {
  const { provider, io } = setup({ ...found, FunctionMap: grpcError(14, details) })
  expect(await provider.start(job(), io)).toMatchObject({
    failure: { message: `Modal could not be asked: the connection to api.modal.com failed${code}.` },
  })
})

test('a token that cannot be renewed for the spawn means that nothing of it was sent', async () => {
  const path = '/modal.client.ModalClient/AuthTokenGet'
  const { provider, io } = setup({ ...found, FunctionMap: grpcError(13, 'because', path) })
  expect((await provider.start(job(), io)).kind).toBe('rejected')
})

test('an answer without an id leaves the start open', async () => {
  const { provider, io } = setup({ ...found, FunctionMap: { functionCallId: '' } })
  expect(await provider.start(job(), io)).toMatchObject({ kind: 'unknown', failure: { code: 'start_unknown' } })
})

test('a start whose signal has ended starts nothing', async () => {
  const { provider, io, sent } = setup(found)
  expect(await provider.start(job(), { ...io, signal: AbortSignal.abort() })).toMatchObject({ kind: 'rejected' })
  expect(sent).toEqual([])
})

test('a spawn that is never answered ends with its signal, although the SDK knows no deadline', async () => {
  const stop = new AbortController()
  const { provider, io } = setup({
    ...found,
    FunctionMap() {
      queueMicrotask(() => stop.abort(new Error('time is up')))
      return new Promise<object>(() => {})
    },
  })
  expect(await provider.start(job(), { ...io, signal: stop.signal })).toMatchObject({
    kind: 'unknown',
    failure: { message: expect.stringContaining('no answer came in time') },
  })
})

test('failures tell nothing of the token, the webhook or the input', async () => {
  const echo = grpcError(3, 'bad webhook https://us.test/hooks/whisper for data:image/jpeg;base64,QUFB')
  const { provider, io } = setup({ ...found, FunctionMap: echo })
  const answer = JSON.stringify(await provider.start(job(), io))
  expect(answer).toContain('bad webhook https://us.test/…')
  expect(answer).not.toMatch(/whisper|as-secret|QUFB/)
})
