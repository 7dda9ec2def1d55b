import { createHash } from 'node:crypto'
import { refuse } from '../../core/failure.ts'
import { uploadKey } from '../../core/upload.ts'
import { encodeCbor } from '../../wire/cbor.ts'
import type { Io, Job, StartAnswer } from '../contract.ts'
import { unknownStart } from '../vendor-api.ts'
import type { Blobs } from './blobs.ts'
import { failureBefore, failureOfRpc, isRefusal } from './failure.ts'
import { buildInput, buildInputOfBytes } from './inputs.ts'
import type { ModalFunctionTarget } from './options.ts'
import { type Rpc, RpcError, readAnswer } from './sdk.ts'
import {
  callSchema,
  type FunctionHandle,
  functionSchema,
  type WireFunction,
  type WireFunctionData,
  type WireFunctionHandle,
} from './wire.ts'

/** Larger inputs of a call that nobody waits for go by blob; the server may name another limit. Source: js/src/function.ts. */
const maxInputBytes = 8 * 1024
const cbor = 4

/** What a start needs besides the job. */
export interface StartTools {
  readonly rpc: Rpc
  readonly blobs: Blobs
  readonly environment: string | undefined
  /** A URL of ours as the container can reach it, or null. */
  readonly reachable: (url: string | null) => string | null
}

/**
 * Spawns one call. Looking the function up and uploading its input cost nothing and fail as `rejected`; the one RPC that
 * costs is sent exactly once.
 */
export async function start(job: Job, target: ModalFunctionTarget, tools: StartTools, io: Io): Promise<StartAnswer> {
  const { rpc } = tools
  let request: { readonly functionId: string }
  try {
    request = await buildCall(job, target, tools, io)
    io.signal.throwIfAborted()
  } catch (error) {
    return { kind: 'rejected', failure: failureBefore(error, io.signal) }
  }

  let answer: unknown
  try {
    answer = await rpc('functionMap', request, io, keyOf(job))
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    const failure = failureOfRpc(error)
    return isRefusal(error) ? { kind: 'rejected', failure } : unknownStart(failure.message, failure.retryAfterMs)
  }
  const call = callSchema.safeParse(answer)
  if (!call.success) return unknownStart('Modal answered with a message of an unknown shape.')
  const handle = { ...handleOf(target, call.data.functionCallId, job.marker.attemptId), function: request.functionId }
  return { kind: 'accepted', handle, seen: { status: 'queued', word: 'SPAWNED' } }
}

/** The handle of a call of this target, whether its id came with the start's answer or with a kit's hello. */
export function handleOf(target: ModalFunctionTarget, call: string, attemptId: string): FunctionHandle {
  return {
    call,
    ...(target.kit ? { stored: uploadKey(attemptId) } : {}),
    ...(target.terminateContainers ? { terminateContainers: true } : {}),
  }
}

/** A function as Modal knows it. */
export interface FoundFunction {
  readonly id: string
  readonly method: string | undefined
  readonly handle: WireFunctionHandle
  /** How it was deployed; absent where Modal does not tell. */
  readonly data: WireFunctionData | undefined
}

/**
 * Where a function is, and how it takes its input. Fails like an RPC, and with `deployment_missing` for what cannot be
 * called by name: web endpoints, classes with parameters, functions that take pickles only.
 */
export async function findFunction(
  { rpc, environment }: Pick<StartTools, 'rpc' | 'environment'>,
  target: ModalFunctionTarget,
  io: Io,
): Promise<FoundFunction> {
  const [first = '', method] = target.function.split('.')
  const request = {
    appName: target.app,
    objectTag: method === undefined ? first : `${first}.*`,
    environmentName: target.environment ?? environment ?? '',
  }
  const found: WireFunction = readAnswer(functionSchema, await rpc('functionGet', request, io), 'functionGet')
  const name = `${target.app}/${target.function}`
  const ofClass = found.handleMetadata ?? {}
  if ((ofClass.classParameterInfo?.schema?.length ?? 0) > 0)
    refuse('deployment_missing', `The class of ${name} has parameters, and cannot be called from here.`, {
      advice: 'Deploy a plain function that calls the method.',
    })
  const methods = ofClass.methodHandleMetadata ?? {}
  if (method !== undefined && Object.keys(methods).length > 0 && !Object.hasOwn(methods, method))
    refuse('deployment_missing', `The class of ${name} has no such method.`)
  const handle = method === undefined ? ofClass : (methods[method] ?? ofClass)
  if (handle.webUrl)
    refuse('deployment_missing', `${name} is a web endpoint, which cannot be called by name.`, {
      advice: "Use modal({ mode: 'web' }) and its URL, or deploy a plain function.",
    })
  if (handle.supportedInputFormats !== undefined && !handle.supportedInputFormats.includes(cbor))
    refuse('deployment_missing', `${name} was deployed by a Python SDK that is too old to be called from here.`, {
      advice: 'Deploy it again with the Python package modal 1.2 or newer.',
    })
  return { id: found.functionId, method, handle, data: found.function }
}

async function buildCall(
  job: Job,
  target: ModalFunctionTarget,
  tools: StartTools,
  io: Io,
): Promise<{ readonly functionId: string }> {
  const options = { target, reachable: tools.reachable }
  const input = await (target.files === 'bytes' ? buildInputOfBytes(job, options) : buildInput(job, options))
  const payload = encodeCbor(target.arguments === 'dict' ? [[input], {}] : [[], input])
  const { id, method, handle } = await findFunction(tools, target, io)
  const limit = Math.min(handle.maxObjectSizeBytes ?? Infinity, handle.maxAsyncObjectSizeBytes ?? maxInputBytes)
  const args = payload.byteLength > limit ? { argsBlobId: await tools.blobs.upload(payload, io) } : { args: payload }
  return {
    functionId: id,
    functionCallType: 1,
    functionCallInvocationType: 3,
    pipelinedInputs: [
      { idx: 0, input: { ...args, dataFormat: cbor, ...(method === undefined ? {} : { methodName: method }) } },
    ],
  } as { readonly functionId: string }
}

/** In the shape of the SDK's own keys, but the same for every start of this attempt, whichever process sends it. */
function keyOf({ marker }: Job): string {
  const hex = createHash('sha256').update(marker.attemptId).digest('hex')
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-a$4-$5')
}
