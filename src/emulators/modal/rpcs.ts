import type { Clock } from '../../core/clock.ts'
import { decodeCbor, encodeCbor } from '../../wire/cbor.ts'
import { decodeMessage, encodeMessage, type Message } from '../../wire/protobuf.ts'
import { misanswerCancel, misanswerStatus } from '../misbehave.ts'
import type { Settings } from '../settings.ts'
import { type Call, isExpired, isOver } from './call.ts'
import { grpcAnswer, grpcFailure, grpcStatus, grpcWording, unframe } from './grpc.ts'
import { rpcMessages } from './messages.ts'

/** What the RPCs do it on. */
export interface RpcTools {
  readonly clock: Clock
  readonly closed: AbortSignal
  readonly calls: ReadonlyMap<string, Call>
  readonly blobs: Map<string, Uint8Array<ArrayBuffer>>
  newId(prefix: string): string
  /** Of `function`: what `FunctionData` holds, which is not told otherwise; see `Settings`. */
  readonly settings: Settings | undefined
  /** Starts a call, or says why not. */
  spawn(functionName: string, input: Call['input'], request: Request): Promise<Call | Response>
  /** Waits until the call is over, at most so long. */
  waitFor(call: Call, ms: number, request: Request): Promise<void>
  cancel(call: Call, terminateContainers: boolean): void
  stats(functionName: string): { readonly waiting: number; readonly containers: number; readonly running: number }
}

type Rpc = (request: Message, http: Request) => Promise<Message | Response> | Message | Response

/** Results and inputs that are larger go by blob. */
const maxObjectBytes = 2 * 1024 * 1024
const cbor = 4

/** Answers one RPC, framed as gRPC frames it. */
export async function answerRpc(tools: RpcTools, http: Request): Promise<Response> {
  const name = new URL(http.url).pathname.split('/').at(-1) ?? ''
  const rpc = Object.hasOwn(rpcs, name) ? rpcs[name]?.(tools) : undefined
  const messages = rpcMessages[name]
  const body = unframe(await http.bytes())
  if (rpc === undefined || messages === undefined) return grpcFailure(grpcStatus.unimplemented, `No RPC ${name} here`)
  if (body === null) return grpcFailure(grpcStatus.internal, 'The request is no message')
  const answer = await rpc(decodeMessage(messages.request, body), http)
  return answer instanceof Response ? answer : grpcAnswer(encodeMessage(messages.response, answer))
}

const notFound = (what: string) => grpcFailure(grpcStatus.notFound, `${what} not found`)

const rpcs: { readonly [name: string]: (tools: RpcTools) => Rpc } = {
  AuthTokenGet:
    ({ clock }) =>
    () => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const exp = Math.floor(clock.now() / 1000) + 20 * 60
      return { token: `${part({ alg: 'none' })}.${part({ exp })}.emulated` }
    },

  // Every function exists; an id is its name, so that it means the same after a restart.
  FunctionGet:
    ({ settings }) =>
    ({ appName, objectTag }) => {
      const set = settings?.function
      if (typeof set === 'number') return notFound(`Function ${appName}/${objectTag}`)
      return {
        functionId: `fu-${Buffer.from(`${appName}/${objectTag}`).toString('base64url')}`,
        handleMetadata: {
          functionName: objectTag,
          // Pickles, which the Python package sends where it may, are for Python alone to read.
          supportedInputFormats: [cbor],
          supportedOutputFormats: [cbor],
        },
        ...(set === undefined ? {} : { function: set }),
      }
    },

  FunctionMap: tools => async (request, http) => {
    const [item] = listOf(request.pipelinedInputs)
    const { args, argsBlobId } = messageOf(item?.input)
    const payload = argsBlobId === undefined ? args : tools.blobs.get(String(argsBlobId))
    if (!(payload instanceof Uint8Array)) return grpcFailure(grpcStatus.invalidArgument, 'The input has no arguments')
    if (argsBlobId === undefined && payload.byteLength > maxObjectBytes)
      return grpcFailure(grpcStatus.invalidArgument, 'The input is too large')
    const call = await tools.spawn(nameOf(String(request.functionId)), inputOf(payload), http)
    if (call instanceof Response) return call
    return {
      functionCallId: call.id,
      pipelinedInputs: [{ idx: 0, inputId: call.inputId, inputJwt: 'emulated' }],
      functionCallJwt: 'emulated',
    }
  },

  FunctionGetOutputs: tools => async (request, http) => {
    const call = tools.calls.get(String(request.functionCallId))
    if (call === undefined) return notFound('Function call')
    const wrong = await misanswerStatus(call, tools.clock, [http.signal, tools.closed], grpcWording)
    if (wrong !== null) return wrong
    await tools.waitFor(call, Math.min(55, Number(request.timeout ?? 0)) * 1000, http)
    if (isExpired(call, tools.clock.now())) return { lastEntryId: '0-0' }
    if (!isOver(call)) return { lastEntryId: '0-0', numUnfinishedInputs: 1 }
    const output = outputOf(call, tools)
    if (request.clearOnSuccess === true) call.isCleared = true
    return { outputs: [output], lastEntryId: '1-0' }
  },

  FunctionCallFromId:
    ({ calls }) =>
    ({ functionCallId }) => {
      const call = calls.get(String(functionCallId))
      return call === undefined ? notFound('Function call') : { functionCallId: call.id, numInputs: 1 }
    },

  FunctionCallGetInfo:
    ({ calls }) =>
    ({ functionCallId }) => {
      const call = calls.get(String(functionCallId))
      if (call === undefined) return notFound('Function call')
      const { inputId, startedAt } = call
      const input = { inputId, ...(startedAt === null ? {} : { startedAt: startedAt / 1000 }) }
      const pendingInputs = isOver(call) ? {} : { total: 1, latest: [input] }
      return { info: { functionCallId: call.id, pendingInputs, totalInputs: 1 } }
    },

  FunctionCallCancel:
    ({ calls, cancel }) =>
    ({ functionCallId, terminateContainers }) => {
      const call = calls.get(String(functionCallId))
      if (call === undefined) return notFound('Function call')
      const lost = misanswerCancel(call, grpcWording)
      if (lost !== null) return lost
      cancel(call, terminateContainers === true)
      return {}
    },

  FunctionGetCurrentStats:
    ({ stats }) =>
    ({ functionId }) => {
      const { waiting, containers, running } = stats(nameOf(String(functionId)))
      return { backlog: waiting, numTotalTasks: containers, numRunningInputs: running }
    },

  BlobCreate:
    ({ newId }) =>
    (_, http) => {
      const blobId = newId('bl')
      const uploadUrl = `${new URL(http.url).origin}/blobs/${blobId}`
      // The JavaScript package reads the one, the Python package the lists (modal 1.2.6, `_utils/blob_utils.py`).
      return { blobId, uploadUrl, blobIds: [blobId], uploadUrls: { items: [uploadUrl] } }
    },

  BlobGet:
    ({ blobs }) =>
    ({ blobId }, http) =>
      blobs.has(String(blobId)) ? { downloadUrl: `${new URL(http.url).origin}/blobs/${blobId}` } : notFound('Blob'),
}

function outputOf(call: Call, { blobs, newId }: RpcTools): Message {
  const { status, exception, value, startedAt, endedAt, restarts, inputId } = call
  const result: { [name: string]: unknown } = { status, exception }
  if (value !== undefined) {
    const data = encodeCbor(value)
    if (data.byteLength <= maxObjectBytes) result.data = data
    else {
      result.dataBlobId = newId('bl')
      blobs.set(String(result.dataBlobId), data)
    }
  }
  return {
    result,
    inputId,
    dataFormat: cbor,
    ...(startedAt === null ? {} : { inputStartedAt: startedAt / 1000 }),
    outputCreatedAt: (endedAt ?? 0) / 1000,
    retryCount: restarts,
  }
}

/** Keyword arguments, or the one dict that was given. */
function inputOf(payload: Uint8Array): Call['input'] {
  const [args, kwargs] = listOf(decodeCbor(payload))
  const [first] = Array.isArray(args) ? args : []
  return { ...messageOf(first), ...messageOf(kwargs) }
}

function nameOf(functionId: string): string {
  return Buffer.from(functionId.replace(/^fu-/, ''), 'base64url').toString()
}

function messageOf(value: unknown): Message {
  const isMessage = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isMessage ? Object.fromEntries(Object.entries(value)) : {}
}

function listOf(value: unknown): Message[] {
  return Array.isArray(value) ? value : []
}
