import { createFailure, type Failure, type FailureCode, SurefootError } from '../../core/failure.ts'
import { describeNetworkError, vendorWords } from '../http.ts'
import { failureOfKit } from '../kit.ts'
import { retryAfterMs } from '../retry-after.ts'
import { toSentence } from '../vendor-api.ts'
import { RpcError } from './sdk.ts'

const statusNames: readonly string[] = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
]

/** gRPC's statuses by which a server, or whatever stands before it, says that it did not do what was asked. */
const refusals = new Set(
  ['INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED'].concat(
    ...['FAILED_PRECONDITION', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'UNAUTHENTICATED'],
  ),
)

/** Whether a start that failed like this has surely started nothing. Anything else may have come through. */
export function isRefusal({ code, isUnsent }: RpcError): boolean {
  return isUnsent || (code !== null && refusals.has(statusNames[code] ?? ''))
}

/** What an RPC that failed means. */
export function failureOfRpc(error: RpcError): Failure {
  const words = vendorWords(error.message)
  const name = error.code === null ? null : (statusNames[error.code] ?? `gRPC status ${error.code}`)
  const wait = error.retryAfterMs ?? retryAfterMs(new Headers(), words)
  const message =
    name === null || isConnection(error)
      ? `Modal could not be asked: ${words}`
      : `Modal answered ${name}${words === '' ? '' : `: ${words}`}`
  return createFailure(
    codeOf(error, name, words),
    toSentence(message),
    wait === undefined ? {} : { retryAfterMs: wait },
  )
}

function isConnection({ code, isUnsent, message }: RpcError): boolean {
  // UNAVAILABLE is also what the transport itself says when a connection breaks.
  return (
    (isUnsent && code === 14) ||
    (code === 14 && /\bE[A-Z]{5,}\b|connection (dropped|closed)|socket|GOAWAY/i.test(message))
  )
}

function codeOf(error: RpcError, name: string | null, words: string): FailureCode {
  if (name === null || isConnection(error)) return 'provider_unreachable'
  if (/\b(spend|spending|billing|payment|budget|credits?)\b/i.test(words) && refusals.has(name))
    return 'payment_required'
  switch (name) {
    case 'INVALID_ARGUMENT':
    case 'OUT_OF_RANGE':
      return isSize(words) ? 'input_too_large' : 'input_invalid'
    case 'NOT_FOUND':
      return 'deployment_missing'
    case 'PERMISSION_DENIED':
      return /lock|suspend|disabled/i.test(words) ? 'account_locked' : 'auth_rejected'
    case 'RESOURCE_EXHAUSTED':
      return isSize(words) ? 'input_too_large' : 'rate_limited'
    case 'FAILED_PRECONDITION':
      return /not deployed|stopped/i.test(words) ? 'deployment_missing' : 'provider_error'
    case 'UNAUTHENTICATED':
      return 'auth_rejected'
    default:
      return 'provider_error'
  }
}

function isSize(words: string): boolean {
  return /larger than|too large|exceeds.{0,40}(size|bytes)/i.test(words)
}

/** An error of an RPC as the engine takes it; others stay what they are. */
export function toSurefootError(error: unknown): unknown {
  return error instanceof RpcError ? new SurefootError(failureOfRpc(error), { cause: error }) : error
}

/** Why a start was refused before the one call that costs. */
export function failureBefore(error: unknown, signal: AbortSignal): Failure {
  if (SurefootError.is(error)) return error.failure
  if (error instanceof RpcError) return failureOfRpc(error)
  return createFailure('provider_unreachable', `Nothing was started: ${describeNetworkError(error, signal)}.`)
}

/** Patterns over the text of an exception, first match wins. */
const causes: readonly (readonly [RegExp, FailureCode])[] = [
  [/out of memory|OutOfMemoryError|\bMemoryError\b|CUBLAS_STATUS_ALLOC_FAILED/i, 'out_of_memory'],
  [/no CUDA GPUs are available|Found no NVIDIA driver/i, 'no_gpu'],
  // A CUDA context that is broken stays broken: the container is lost, not the model wrong.
  [/illegal memory access|unspecified launch failure|terminated by signal/i, 'worker_lost'],
  [/function execution timed out|hit its timeout/i, 'run_timeout'],
  // The run was good; only the function's own upload failed.
  [
    /\b(PutObject|CreateMultipartUpload|CompleteMultipartUpload|S3UploadFailedError)\b|could not upload/i,
    'output_lost',
  ],
]

/** Why a function raised; `text` is the exception as Modal tells it. */
export function failureOfFunction(text: string): Failure {
  const words = vendorWords(text)
  const told = failureOfKit(words, 'Modal')
  if (told !== null) return told
  const code = causes.find(([pattern]) => pattern.test(words))?.[1]
  if (code === 'run_timeout') return failureOfTimeout(words)
  if (code !== undefined) return createFailure(code, toSentence(`Modal: ${words}`))
  return createFailure(
    'model_error',
    words === '' ? 'The function failed without saying why.' : toSentence(`The function failed: ${words}`),
  )
}

/** The function's own `timeout=` has passed, which is not the policy's. */
export function failureOfTimeout(text: string): Failure {
  const words = vendorWords(text)
  return createFailure(
    'run_timeout',
    toSentence(`Modal ended the run at the function's own limit${words === '' ? '' : `: ${words}`}`),
    {
      advice: 'Deploy the function with timeout= as long as it may take; without it Modal ends a run after 300 s.',
    },
  )
}
