import { createFailure, type Failure, type FailureCode } from '../../core/failure.ts'
import { vendorWords } from '../http.ts'
import { failureOfKit } from '../kit.ts'
import { toSentence } from '../vendor-api.ts'

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
  const told = failureOfKit(words, 'Replicate')
  if (told !== null) return told
  const code = causes.find(([pattern]) => pattern.test(text))?.[1]
  if (code !== undefined) return createFailure(code, toSentence(`Replicate: ${words}`))
  if (runMs !== undefined && runMs >= vendorRunLimitMs - 10_000)
    return createFailure(
      'run_timeout',
      toSentence(`Replicate ended the run at its limit of 30 minutes${words === '' ? '' : `: ${words}`}`),
    )
  return createFailure(
    'model_error',
    words === '' ? 'The model failed without saying why.' : toSentence(`The model failed: ${words}`),
  )
}
