import { type ZodType, z } from 'zod'
import { createFailure, refuse, SurefootError } from '../../core/failure.ts'
import { decodeMessage } from '../../wire/protobuf.ts'
import type { Io } from '../contract.ts'
import { connectionFailed } from '../http.ts'
import { longestRetryAfterMs } from '../retry-after.ts'
import type { ReadyFunctionOptions } from './options.ts'
import { retryPolicy, statusDetails } from './wire.ts'

/** The RPCs that this adapter uses, by the SDK's names. */
export type RpcName =
  | 'blobCreate'
  | 'blobGet'
  | 'functionCallCancel'
  | 'functionCallGetInfo'
  | 'functionGet'
  | 'functionGetCurrentStats'
  | 'functionGetOutputs'
  | 'functionMap'

/** One RPC, exactly once. Fails with `RpcError`; with `input_invalid` where the SDK cannot be had. */
export type Rpc = (name: RpcName, request: object, io: Io, idempotencyKey?: string) => Promise<unknown>

/** An RPC that was not answered as asked. */
export class RpcError extends Error {
  /** gRPC's status; null when no answer came at all. */
  readonly code: number | null
  /** Surely nothing of the call itself left this machine. */
  readonly isUnsent: boolean
  readonly retryAfterMs: number | undefined

  constructor(
    words: string,
    code: number | null,
    more: { isUnsent?: boolean; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(words, { cause: more.cause })
    this.name = 'RpcError'
    this.code = code
    this.isUnsent = more.isUnsent ?? false
    this.retryAfterMs = more.retryAfterMs
  }
}

type LowLevelClient = { readonly [name in RpcName]: (request: object, options: object) => Promise<unknown> }

const needed = 'modal@0.11.1'

/** RPCs through the vendor's own SDK, which is loaded by the first one. */
export function createRpc(options: ReadyFunctionOptions): Rpc {
  let loading: Promise<LowLevelClient> | null = null
  return async (name, request, io, idempotencyKey) => {
    loading ??= loadClient(options)
    const client = await loading.catch((error: unknown) => {
      loading = null
      throw error
    })
    io.signal.throwIfAborted()
    let details: string | Uint8Array | undefined
    const call = client[name](request, {
      signal: io.signal,
      // The SDK would repeat it, and sleep as long as the server says; repeating and waiting are the engine's. Without
      // retries it also sends the metadata as given: the key is the attempt's own.
      retries: 0,
      ...(idempotencyKey === undefined
        ? {}
        : { metadata: new CallMetadata([['x-idempotency-key', [idempotencyKey]]]) }),
      onTrailer: (trailer: { get(name: string): string | Uint8Array | undefined }) => {
        details = trailer.get('grpc-status-details-bin')
      },
    })
    try {
      return await untilAborted(call, io.signal)
    } catch (error) {
      throw toRpcError(error, io.signal, options.baseUrl, retryAfterOf(details))
    }
  }
}

/** As much of nice-grpc's metadata as the SDK uses: it sets its own entries, and the transport reads all. */
class CallMetadata extends Map<string, readonly string[]> {
  override set(key: string, value: string | readonly string[]): this {
    return super.set(key, typeof value === 'string' ? [value] : value)
  }
}

async function loadClient(options: ReadyFunctionOptions): Promise<LowLevelClient> {
  const { ModalClient } = await import('modal').catch(notInstalled)
  if (typeof ModalClient !== 'function') return notInstalled(new Error('The package "modal" has no ModalClient.'))
  const silent = () => {}
  let client: LowLevelClient & { authTokenGet(request: object, options: object): Promise<unknown> }
  const sdk = new ModalClient({
    tokenId: options.tokenId,
    tokenSecret: options.tokenSecret,
    // For the one RPC that it repeats by itself, the token's renewal.
    maxThrottleWaitSecs: 5,
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    grpcMiddleware: options.grpcMiddleware,
    // Without this the SDK would ask for its token at an address out of the environment or a file of the user's.
    cpClient: { authTokenGet: (request: object, more: object) => client.authTokenGet(request, more) },
  } as never)
  client = sdk.ipClient(options.baseUrl) as unknown as typeof client
  return client
}

/** Another package of the same name is `latest` in the registry, and wants a browser's `document` when it is loaded. */
function notInstalled(cause: unknown): never {
  const failure = createFailure(
    'input_invalid',
    `The provider modal needs the package ${needed}, and it is not installed, or another package of that name is.`,
    {
      fault: 'config',
      advice: `Install it beside surefoot: npm install --save-exact ${needed} (without the version it is another package).`,
    },
  )
  throw new SurefootError(failure, { cause })
}

/** The SDK renews its token in the middle of a call, without regard to the call's signal. */
async function untilAborted<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    if (signal.aborted) abort()
    return await Promise.race([call, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
    // Whoever loses the race fails unheard.
    call.catch(() => {})
    aborted.promise.catch(() => {})
  }
}

/** nice-grpc's `ClientError`. */
const grpcErrorSchema = z.looseObject({ code: z.int(), details: z.string(), path: z.string() })

/** What the transport says of a page with status 200, under RESOURCE_EXHAUSTED: its letters, read as a length. */
const unreadable = /^Received message larger than max/

/** What the transport says when it could not even connect. Source: @grpc/grpc-js, pick_first and the resolvers. */
const unconnected = /^(No connection established|Name resolution failed|Could not connect)/

function toRpcError(error: unknown, signal: AbortSignal, address: string, retryAfterMs: number | undefined): RpcError {
  if (signal.aborted) return new RpcError('no answer came in time', null, { cause: error })
  const status = grpcErrorSchema.safeParse(error)
  if (!status.success) return new RpcError('the connection failed', null, { cause: error })
  const { code, details, path } = status.data
  if (unreadable.test(details)) return new RpcError('the answer was no message of gRPC', 2, { cause: error })
  const isUnconnected = code === 14 && unconnected.test(details)
  const words = isUnconnected ? connectionFailed(address, /\bE[A-Z]{5,}\b/.exec(details)?.[0] ?? null) : details
  return new RpcError(words, code, {
    isUnsent: path.endsWith('/AuthTokenGet') || isUnconnected,
    cause: error,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

/** `RPCRetryPolicy` among the details of a status; undefined where the server asks for no wait. */
function retryAfterOf(details: string | Uint8Array | undefined): number | undefined {
  if (!(details instanceof Uint8Array)) return undefined
  try {
    const { details: all } = decodeMessage(statusDetails, details)
    for (const { typeUrl, value } of Array.isArray(all) ? all : [])
      if (String(typeUrl).endsWith('/modal.client.RPCRetryPolicy') && value instanceof Uint8Array) {
        const { retryAfterSecs } = decodeMessage(retryPolicy, value)
        return Math.min(longestRetryAfterMs, Math.max(0, Math.ceil(Number(retryAfterSecs ?? 0) * 1000)))
      }
  } catch {
    // Bytes that are no status say nothing.
  }
  return undefined
}

/** An answer in its schema's shape; fails with `provider_error`. */
export function readAnswer<T>(schema: ZodType<T>, answer: unknown, name: RpcName): T {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  return refuse('provider_error', `Modal answered ${name} with a message of an unknown shape.`)
}
