import { FunctionTimeoutError, ModalClient, NotFoundError, RemoteError } from 'modal'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock as clock } from '../../engine/clock.ts'
import { modal } from '../../providers/modal/index.ts'
import {
  blobCreatedSchema,
  blobSchema,
  callSchema,
  functionSchema,
  infoSchema,
  outputsSchema,
  statsSchema,
} from '../../providers/modal/wire.ts'
import { createRandom } from '../../testing/random.ts'
import { type ServedEmulator, serveEmulator } from '../serve.ts'
import { createEchoWork } from '../works.ts'
import { createModalEmulator, type ModalEmulatorOptions } from './index.ts'

/** The vendor's published SDK, as it comes, against the emulator on loopback. */
async function setup(
  more: Partial<ModalEmulatorOptions> = {},
): Promise<{ client: ModalClient; served: ServedEmulator }> {
  const work = createEchoWork({ clock, durationMs: 20, steps: 2 })
  const token = { tokenId: 'ak-1', tokenSecret: 'as-1' }
  const random = createRandom(1)
  const served = await serveEmulator(
    createModalEmulator({ clock, random, work, bootMs: 5, answers: 'inline', ...token, ...more }),
  )
  onTestFinished(() => served.close())
  vi.stubEnv('MODAL_SERVER_URL', served.origin)
  onTestFinished(() => void vi.unstubAllEnvs())
  return { client: new ModalClient({ ...token, maxThrottleWaitSecs: 0 }), served }
}

function bytesOf(value: unknown): number[] {
  return value instanceof Uint8Array ? [...value] : []
}

test('spawns by keyword arguments and gets what the function returned', async () => {
  const { client } = await setup()
  const predict = await client.functions.fromName('app', 'predict')
  const call = await predict.spawn([], { photo: new Uint8Array([1, 2, 3]) })
  expect(call.functionCallId).toMatch(/^fc-/)
  expect(bytesOf(await call.get())).toEqual([1, 2, 3])
  const again = await client.functionCalls.fromId(call.functionCallId)
  expect(bytesOf(await again.get())).toEqual([1, 2, 3])
})

test('inputs and results that are too large for a message go by blob', async () => {
  const { client } = await setup()
  const photo = Buffer.alloc(3_000_000, 7)
  const call = await (await client.functions.fromName('app', 'predict')).spawn([], { photo })
  expect(photo.equals(Uint8Array.from(bytesOf(await call.get())))).toBe(true)
})

test('methods of a class are called by its service function', async () => {
  const { client } = await setup({ work: async () => [] })
  const { cpClient } = client
  const { functionId } = await cpClient.functionGet({ appName: 'app', objectTag: 'Model.*' })
  const input = { args: new Uint8Array([0x82, 0x80, 0xa0]), dataFormat: 4, methodName: 'predict' }
  const { functionCallId } = await cpClient.functionMap({ functionId, pipelinedInputs: [{ idx: 0, input }] })
  expect(await (await client.functionCalls.fromId(functionCallId)).get()).toEqual([])
})

test.each([
  ['model-error', RemoteError, 'Remote error: ValueError'],
  ['interrupted', RemoteError, 'Remote error: '],
])('%s is what the SDK makes of it', async (fault, kind, words) => {
  const { client } = await setup({ faults: [fault] })
  const call = await (await client.functions.fromName('app', 'predict')).spawn([], {})
  const ended = call.get()
  await expect(ended).rejects.toThrow(kind)
  await expect(ended).rejects.toThrow(words)
})

test("the function's own timeout is an error of its own", async () => {
  const { client } = await setup({ timeoutMs: 30, work: createEchoWork({ clock, durationMs: 60_000 }) })
  const call = await (await client.functions.fromName('app', 'predict')).spawn([], {})
  await expect(call.get()).rejects.toThrow(FunctionTimeoutError)
})

test('a cancelled call ends as an error like any other, which is why the adapter reads the raw status', async () => {
  const { client } = await setup({ work: createEchoWork({ clock, durationMs: 60_000 }) })
  const predict = await client.functions.fromName('app', 'predict')
  const call = await predict.spawn([], {})
  expect(await predict.getCurrentStats()).toMatchObject({ numTotalRunners: 1 })
  await call.cancel()
  await expect(call.get()).rejects.toThrow(RemoteError)
})

test('every answer that the adapter reads raw is decoded by the SDK and fits the adapter', async () => {
  const { client } = await setup()
  const { cpClient } = client
  const found = await cpClient.functionGet({ appName: 'app', objectTag: 'predict' })
  expect(functionSchema.parse(found)).toMatchObject({ handleMetadata: { supportedInputFormats: [4] } })
  const { functionId } = found
  const input = { args: new Uint8Array([0x82, 0x80, 0xa0]), dataFormat: 4 }
  const { functionCallId } = callSchema.parse(
    await cpClient.functionMap({ functionId, pipelinedInputs: [{ idx: 0, input }] }),
  )
  const info = await cpClient.functionCallGetInfo({ functionCallId })
  expect(infoSchema.parse(info)).toMatchObject({
    info: { pendingInputs: { latest: [{ inputId: expect.any(String) }] } },
  })
  const asked = { functionCallId, maxValues: 1, timeout: 20, lastEntryId: '0-0' }
  expect(outputsSchema.parse(await cpClient.functionGetOutputs(asked))).toMatchObject({
    outputs: [
      { result: { status: 1 }, dataFormat: 4, inputStartedAt: expect.any(Number), outputCreatedAt: expect.any(Number) },
    ],
    numUnfinishedInputs: 0,
  })
  const stats = { backlog: 0, numTotalTasks: 1, numRunningInputs: 0 }
  expect(statsSchema.parse(await cpClient.functionGetCurrentStats({ functionId }))).toMatchObject(stats)
  const { blobId, uploadUrl } = blobCreatedSchema.parse(await cpClient.blobCreate({ contentLength: 3 }))
  const { headers } = await fetch(uploadUrl, { method: 'PUT', body: 'abc' })
  // RFC 1321, A.5.
  expect(headers.get('etag')).toBe('"900150983cd24fb0d6963f7d28e17f72"')
  const { downloadUrl } = blobSchema.parse(await cpClient.blobGet({ blobId }))
  expect(await (await fetch(downloadUrl)).text()).toBe('abc')
})

test('the lists of upload places, which the Python package reads, lead where the single one does', async () => {
  const { client } = await setup()
  const { blobId, blobIds, uploadUrl, uploadUrls } = await client.cpClient.blobCreate({ contentLength: 3 })
  expect({ blobIds, uploadUrls }).toEqual({ blobIds: [blobId], uploadUrls: { items: [uploadUrl] } })
})

test('a wrong token is refused, and a call that nobody made is not found', async () => {
  const { client } = await setup()
  await expect(client.functionCalls.fromId('fc-nobody')).rejects.toMatchObject({ code: 5 })
  const stranger = new ModalClient({ tokenId: 'ak-2', tokenSecret: 'as-1' })
  const answer = stranger.functions.fromName('app', 'predict')
  await expect(answer).rejects.toMatchObject({ code: 16 })
  await expect(answer).rejects.not.toThrow(NotFoundError)
})

/** The adapter over the real transport: what a middleware in virtual time only imitates. */
function adapter({ origin }: ServedEmulator) {
  const provider = modal({ tokenId: 'ak-1', tokenSecret: 'as-1', baseUrl: origin })
  const target = provider.parseTarget({ app: 'app', function: 'predict' })
  const marker = { attemptId: 'attempt-1', secret: 'whisper' }
  const job = { marker, model: 'a/b', target, input: {}, files: {}, webhookUrl: null, uploadUrl: () => null }
  const io = { fetch, signal: AbortSignal.timeout(10_000) }
  return { start: () => provider.start({ ...job, runLimitMs: 60_000, deadlineInMs: 60_000 }, io) }
}

test.each([
  ['create-401', 'rejected', 'auth_rejected'],
  ['create-404', 'rejected', 'deployment_missing'],
  ['create-429@float', 'rejected', 'rate_limited'],
  ['accept-then-reset', 'unknown', 'start_unknown'],
  ['create-500', 'unknown', 'start_unknown'],
  ['create-502', 'unknown', 'start_unknown'],
  // The transport reads a page's first letters as a length, and says RESOURCE_EXHAUSTED.
  ['create-html-200', 'unknown', 'start_unknown'],
  ['create-error-object-200', 'unknown', 'start_unknown'],
])('over the real transport %s is %s', async (fault, kind, code) => {
  const { served } = await setup({ faults: [fault] })
  const answer = await adapter(served).start()
  expect(answer).toMatchObject({ kind, failure: { code } })
  if (fault === 'create-429@float') expect(answer).toMatchObject({ failure: { retryAfterMs: 1500 } })
})

test('where nobody listens surely nothing was started', async () => {
  const { served } = await setup()
  await served.close()
  expect(await adapter(served).start()).toMatchObject({ kind: 'rejected', failure: { code: 'provider_unreachable' } })
})

test('the adapter calls its own address with its own token, whatever the environment holds for the SDK', async () => {
  const { served } = await setup()
  vi.stubEnv('MODAL_SERVER_URL', 'http://127.0.0.1:9')
  vi.stubEnv('MODAL_TOKEN_ID', 'ak-other')
  vi.stubEnv('MODAL_ENVIRONMENT', 'other')
  vi.stubEnv('MODAL_OAUTH_CLIENT_ID', 'oc-other')
  expect((await adapter(served).start()).kind).toBe('accepted')
})
