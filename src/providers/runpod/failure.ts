import { createFailure, type Failure, type FailureCode } from '../../core/failure.ts'
import { type Answer, vendorWords } from '../http.ts'
import { retryAfterMs } from '../retry-after.ts'
import { exceptionSchema, problemSchema } from './wire.ts'

/** Patterns over a failed job's exception (type and message), first match wins. */
const causes: readonly (readonly [RegExp, FailureCode])[] = [
  [/out of memory|OutOfMemoryError|\bMemoryError\b|CUBLAS_STATUS_ALLOC_FAILED/i, 'out_of_memory'],
  [/no CUDA GPUs are available|Found no NVIDIA driver/i, 'no_gpu'],
  // A CUDA context that is broken stays broken: the worker is lost, not the model wrong.
  [/illegal memory access|unspecified launch failure|worker (exited|crashed|died)/i, 'worker_lost'],
  [/execution ?time(out)?\b.*(exceed|reach)|job timed out/i, 'run_timeout'],
  // The run was good; only the handler's own upload failed.
  [
    /\b(PutObject|CreateMultipartUpload|CompleteMultipartUpload|S3UploadFailedError)\b|could not upload/i,
    'output_lost',
  ],
]

/** Why a job ended as `FAILED`. `error` is plain text, or an exception as a JSON string, which may be wrapped twice. */
export function failureOfRun(error: unknown): Failure {
  const words = vendorWords(unwrap(error))
  const code = causes.find(([pattern]) => pattern.test(words))?.[1]
  if (code !== undefined) return createFailure(code, sentence(`RunPod: ${words}`))
  return createFailure(
    'model_error',
    words === '' ? 'The handler failed without saying why.' : sentence(`The handler failed: ${words}`),
  )
}

/** `ValueError: no face found` out of whatever stands in `error`; the traceback stays behind, it names paths and code. */
function unwrap(error: unknown, depth = 0): string {
  if (error === undefined || error === null) return ''
  const exception = exceptionSchema.safeParse(error)
  if (exception.success) {
    const { error_type: type = '', error_message: message } = exception.data
    // Python's `str(type)`: <class 'torch.OutOfMemoryError'>
    const name = /(\w+)'?>?$/.exec(type.slice(-200))?.[1]
    return name === undefined ? message : `${name}: ${message}`
  }
  if (typeof error !== 'string') return JSON.stringify(error)
  if (depth > 2) return error
  try {
    const inner: unknown = JSON.parse(error)
    return typeof inner === 'string' || (typeof inner === 'object' && inner !== null) ? unwrap(inner, depth + 1) : error
  } catch {
    return error
  }
}

/** What an HTTP error of the vendor means; for answers whose status is not 2xx, and for 2xx that say nothing readable. */
export function failureOfAnswer(answer: Answer): Failure {
  const { status } = answer
  const words = wordsOf(answer)
  const message = sentence(`RunPod answered ${status}${words === '' ? '' : `: ${words}`}`)
  const wait = retryAfterMs(answer.headers, answer.text)
  const more = wait === undefined ? {} : { retryAfterMs: wait }
  if (status >= 200 && status < 300)
    return createFailure(
      'provider_error',
      `RunPod answered ${status} without a readable body (${contentType(answer)}).`,
      more,
    )
  return createFailure(codeOf(status, words), message, more)
}

function codeOf(status: number, words: string): FailureCode {
  switch (status) {
    case 400:
    case 422:
      return /max(imum)? size|too large/i.test(words) ? 'input_too_large' : 'input_invalid'
    case 401:
      return 'auth_rejected'
    case 402:
      return 'payment_required'
    case 403:
      return /lock|suspend|disabled|billing|balance/i.test(words) ? 'account_locked' : 'auth_rejected'
    case 404:
    case 410:
      return 'deployment_missing'
    case 413:
      return 'input_too_large'
    case 429:
      return 'rate_limited'
    default:
      return 'provider_error'
  }
}

/** The vendor's explanation, or '' where there is none that a person should read (an HTML page). */
function wordsOf(answer: Answer): string {
  const problem = problemSchema.safeParse(answer.json)
  if (!problem.success)
    return /^text\/plain\b/i.test(answer.headers.get('content-type') ?? '') ? vendorWords(answer.text) : ''
  const { error, message, detail, title } = problem.data
  const words = error ?? message ?? detail ?? title ?? ''
  return vendorWords(typeof words === 'string' ? words : JSON.stringify(words))
}

/** Others add sentences of their own after ours. */
function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`
}

function contentType(answer: Answer): string {
  return answer.headers.get('content-type')?.split(';')[0]?.slice(0, 60) ?? 'no content type'
}
