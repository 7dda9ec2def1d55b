import { refuse, SurefootError } from '../../core/failure.ts'
import type { Json, JsonObject } from '../../core/json.ts'
import type { CancelAnswer, Io, Observation, Provider } from '../contract.ts'
import { isSameOrigin } from '../option-schemas.ts'
import { createBlobs } from './blobs.ts'
import { maxInlineBytes } from './bytes.ts'
import { check } from './check.ts'
import { toSurefootError } from './failure.ts'
import { judgeHealth } from './health.ts'
import { hear } from './hear.ts'
import { observe } from './observe.ts'
import { parseFunctionTarget, type ReadyFunctionOptions, vendorBaseUrl, warmthOf } from './options.ts'
import { priceOfContainer, pricesOfContainerAsOf } from './prices.ts'
import { createRpc, RpcError, type RpcName, readAnswer } from './sdk.ts'
import { findFunction, handleOf, start } from './start.ts'
import { judgeContainers } from './warm.ts'
import {
  type FunctionHandle,
  functionHandleSchema,
  infoSchema,
  outputsSchema,
  statsSchema,
  type WireStats,
} from './wire.ts'

const notFound = 5

/** Functions that are called by name, through the vendor's SDK. */
export function createFunctionProvider(options: ReadyFunctionOptions): Provider {
  const { baseUrl, environment } = options
  const rpc = createRpc(options)
  const isVendor = isSameOrigin(baseUrl, vendorBaseUrl)
  const tools = {
    rpc,
    environment,
    blobs: createBlobs(rpc, isVendor),
    // The vendor's containers are elsewhere; an emulator's are on this machine and take http as well.
    reachable: (url: string | null) => (url?.startsWith('https:') || !isVendor ? url : null),
  }

  /** Null where the vendor does not know what was asked about. */
  async function ask(name: RpcName, request: object, io: Io): Promise<unknown> {
    try {
      return await rpc(name, request, io)
    } catch (error) {
      if (error instanceof RpcError && error.code === notFound) return null
      throw toSurefootError(error)
    }
  }

  /** Whether a container has begun with the call. The vendor need not tell; then it counts as waiting. */
  async function hasBegun({ call, function: functionId }: FunctionHandle, io: Io): Promise<boolean> {
    if (functionId === undefined) return false
    try {
      const answer = await ask('functionCallGetInfo', { functionId, functionCallId: call }, io)
      const { info } = readAnswer(infoSchema, answer ?? {}, 'functionCallGetInfo')
      return info?.pendingInputs?.latest.some(({ startedAt }) => startedAt !== undefined) ?? false
    } catch (error) {
      if (SurefootError.is(error)) return false
      throw error
    }
  }

  async function statsOf(target: JsonObject, io: Io): Promise<WireStats> {
    const { id } = await findFunction(tools, parseFunctionTarget(target), io).catch(rethrow)
    const answer = await rpc('functionGetCurrentStats', { functionId: id }, io).catch(rethrow)
    return readAnswer(statsSchema, answer, 'functionGetCurrentStats')
  }

  return {
    kind: 'modal',
    trustedOrigins: isVendor ? [] : [new URL(baseUrl).origin],
    limits: {
      inputForms: ['url', 'data'],
      outputForms: ['stored', 'url', 'data'],
      inlineOutputBytes: maxInlineBytes,
      resultKeptMs: 7 * 24 * 60 * 60_000,
      heldStart: false,
      silent: true,
      // Must stay well below what is left of an engine's lease of 15 s between renewals, uploads included.
      startTimeoutMs: 8_000,
      callTimeoutMs: 20_000,
      pollMs: 2_000,
      thisHostOnly: false,
    },
    parseTarget: parseFunctionTarget,
    start: (job, io) => start(job, parseFunctionTarget(job.target), tools, io),
    async poll(stored, io): Promise<Observation> {
      const handle = readHandle(stored)
      const request = {
        functionCallId: handle.call,
        maxValues: 1,
        timeout: 0,
        lastEntryId: '0-0',
        clearOnSuccess: false,
      }
      const answer = await ask('functionGetOutputs', request, io)
      if (answer === null) return { status: 'gone', word: 'NOT_FOUND' }
      const { outputs, numUnfinishedInputs } = readAnswer(outputsSchema, answer, 'functionGetOutputs')
      const [output] = outputs
      if (output !== undefined)
        return await observe(output, handle.stored ?? null, id => tools.blobs.download(id, io).catch(rethrow))
      // Neither work nor result: kept too long. The SDK's `get` takes this for "still running".
      if (numUnfinishedInputs === 0) return { status: 'gone', word: 'EXPIRED' }
      return (await hasBegun(handle, io))
        ? { status: 'running', word: 'STARTED' }
        : { status: 'queued', word: 'PENDING' }
    },
    async cancel(stored, io): Promise<CancelAnswer> {
      const { call, terminateContainers = false } = readHandle(stored)
      await ask('functionCallCancel', { functionCallId: call, terminateContainers }, io)
      // The answer is empty, whatever came of it.
      return 'requested'
    },
    hear: async (request, _io, _now, to) =>
      hear(request, to, (target, call, attemptId) => handleOf(parseFunctionTarget(target), call, attemptId)),
    health: async (target, io) => judgeHealth(await statsOf(target, io)),
    warmth: target => warmthOf(parseFunctionTarget(target)),
    warm: async (target, io) => judgeContainers(await statsOf(target, io)),
    check: (target, io, intent) => check(parseFunctionTarget(target), tools, io, intent).catch(rethrow),
    cost({ metrics }, target) {
      const price = priceOfContainer(parseFunctionTarget(target))
      if (price === null || metrics?.runMs === undefined) return null
      // Billed is a container from its start to its stop, and every try; the output knows its last one only.
      return { amount: (metrics.runMs / 1000) * price, currency: 'USD', estimated: true }
    },
    pricePerSecond: target => priceOfContainer(parseFunctionTarget(target)),
    pricesAsOf: target => pricesOfContainerAsOf(parseFunctionTarget(target)),
  }
}

function rethrow(error: unknown): never {
  throw toSurefootError(error)
}

function readHandle(handle: Json): FunctionHandle {
  const parsed = functionHandleSchema.safeParse(handle)
  return parsed.success ? parsed.data : refuse('internal', 'A stored handle is not one of the modal adapter.')
}
