import { createFailure, type Failure, type FailureCode } from '../../core/failure.ts'
import { type Answer, vendorWords } from '../http.ts'
import { retryAfterMs } from '../retry-after.ts'
import { problemSchema } from './wire.ts'

/** The vendor's own limit for one run; how it words that end is not documented. */
const vendorRunLimitMs = 30 * 60_000

/** Patterns over a failed prediction's error text, first match wins. Codes: replicate.com/docs/reference/error-codes. */
const causes: readonly (readonly [RegExp, FailureCode])[] = [
  [/\bE1001\b|out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED/i, 'out_of_memory'],
  [/\bE6716\b|timeout starting prediction/i, 'boot_timeout'],
  // The run was good; only the vendor's own upload of its outputs failed.
  [/error trying to upload output files/i, 'output_lost'],
  [/no CUDA GPUs are available|Found no NVIDIA driver/i, 'no_gpu'],
  [/prediction interrupted|worker (crashed|died)|illegal memory access/i, 'worker_lost'],
  [/queue.{0,40}(limit|full)/i, 'no_capacity'],
  [/\bE1000\b|\bE4875\b/i, 'provider_error'],
]

/** Why a prediction ended as `failed`, from its error text and how long it ran. */
export function failureOfRun(error: unknown, runMs: number | undefined): Failure {
  const text = typeof error === 'string' ? error : error == null ? '' : JSON.stringify(error)
  const words = vendorWords(text)
  const code = causes.find(([pattern]) => pattern.test(text))?.[1]
  if (code !== undefined) return createFailure(code, sentence(`Replicate: ${words}`))
  if (runMs !== undefined && runMs >= vendorRunLimitMs - 10_000)
    return createFailure(
      'run_timeout',
      sentence(`Replicate ended the run at its limit of 30 minutes${words === '' ? '' : `: ${words}`}`),
    )
  return createFailure(
    'model_error',
    words === '' ? 'The model failed without saying why.' : sentence(`The model failed: ${words}`),
  )
}

/** What an HTTP error of the vendor means; for answers whose status is not 2xx, and for 2xx that say nothing readable. */
export function failureOfAnswer(answer: Answer): Failure {
  const { status } = answer
  const words = wordsOf(answer)
  const message = sentence(`Replicate answered ${status}${words === '' ? '' : `: ${words}`}`)
  const wait = retryAfterMs(answer.headers, answer.text)
  const more = wait === undefined ? {} : { retryAfterMs: wait }
  if (status === 401) return createFailure('auth_rejected', message, more)
  if (status === 402) return createFailure('payment_required', message, more)
  if (status === 403)
    return createFailure(
      /lock|suspend|disabled|billing|balance/i.test(words) ? 'account_locked' : 'auth_rejected',
      message,
      more,
    )
  if (status === 404 || status === 410) return createFailure('deployment_missing', message, more)
  if (status === 413) return createFailure('input_too_large', message, more)
  if (status === 429) return createFailure('rate_limited', message, more)
  if (status === 400 || status === 422) return createFailure('input_invalid', message, more)
  if (status >= 200 && status < 300)
    return createFailure(
      'provider_error',
      `Replicate answered ${status} without a readable body (${contentType(answer)}).`,
      more,
    )
  return createFailure('provider_error', message, more)
}

/** The vendor's explanation, or '' where there is none that a person should read (an HTML page). */
export function wordsOf(answer: Answer): string {
  const problem = problemSchema.safeParse(answer.json)
  if (!problem.success) return ''
  const { title, detail } = problem.data
  if (typeof detail === 'string') return vendorWords(detail)
  if (detail !== undefined && detail !== null) return vendorWords(JSON.stringify(detail))
  return vendorWords(title ?? '')
}

/** Others add sentences of their own after ours. */
function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`
}

function contentType(answer: Answer): string {
  return answer.headers.get('content-type')?.split(';')[0]?.slice(0, 60) ?? 'no content type'
}
