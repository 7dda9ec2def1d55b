import { createFailure, type Failure, type FailureCode } from '../../core/failure.ts'
import { vendorWords } from '../http.ts'
import { failureOfKit } from '../kit.ts'
import { toSentence } from '../vendor-api.ts'
import type { WireError } from './wire.ts'

/** Patterns over what a model says of its own failure, first match wins. Truss hides most of it from callers. */
const causes: readonly (readonly [RegExp, FailureCode])[] = [
  [/out of memory|OutOfMemoryError|\bMemoryError\b|CUBLAS_STATUS_ALLOC_FAILED/i, 'out_of_memory'],
  [/no CUDA GPUs are available|Found no NVIDIA driver/i, 'no_gpu'],
  // A CUDA context that is broken stays broken. The last words are the router's for a container that died under a request.
  [/illegal memory access|unspecified launch failure|error making prediction/i, 'worker_lost'],
  // The run was good; only the worker's own upload failed.
  [/\b(PutObject|CompleteMultipartUpload|S3UploadFailedError)\b|could not upload/i, 'output_lost'],
]

/** `errors[].code` of a status or webhook. */
const codes: ReadonlyMap<string, FailureCode> = new Map([
  ['MODEL_PREDICT_TIMEOUT', 'run_timeout'],
  ['MODEL_NOT_READY', 'boot_timeout'],
  ['MODEL_DOES_NOT_EXIST', 'deployment_missing'],
  ['MODEL_UNAVAILABLE', 'no_capacity'],
  ['MODEL_INVALID_INPUT', 'input_invalid'],
  ['ASYNC_REQUEST_NOT_SUPPORTED', 'deployment_missing'],
  ['INTERNAL_SERVER_ERROR', 'provider_error'],
])

/** Why a request ended without a result, by the first of its errors. */
export function failureOfRun([error]: readonly WireError[]): Failure {
  const code = error?.code ?? 'MODEL_PREDICT_ERROR'
  const words = vendorWords(error?.message ?? '')
  const told = failureOfKit(words, 'Baseten')
  if (told !== null) return told
  const known = codes.get(code)
  if (known !== undefined) {
    const advice = code === 'ASYNC_REQUEST_NOT_SUPPORTED' ? { advice: "Use the provider option mode: 'held'." } : {}
    return createFailure(known, toSentence(`Baseten: ${code}${words === '' ? '' : `: ${words}`}`), advice)
  }
  // A code that is not in the list says nothing of the model.
  if (code !== 'MODEL_PREDICT_ERROR')
    return createFailure('provider_error', toSentence(`Baseten: ${vendorWords(code)}: ${words}`))
  return failureOfModel(words)
}

/** Why the model failed, in its own words where it may say them. */
export function failureOfModel(words: string): Failure {
  const told = failureOfKit(words, 'Baseten')
  if (told !== null) return told
  const cause = causes.find(([pattern]) => pattern.test(words))?.[1]
  if (cause !== undefined) return createFailure(cause, toSentence(`Baseten: ${words}`))
  const message = words === '' ? 'The model failed without saying why.' : toSentence(`The model failed: ${words}`)
  return createFailure('model_error', message, {
    advice: "Read the model's logs at Baseten; it hides exceptions from callers. Another deployment may succeed.",
  })
}
