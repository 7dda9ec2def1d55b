import { createFailure, type Failure, type FailureCode } from '../../core/failure.ts'
import { vendorWords } from '../http.ts'
import { failureOfKit } from '../kit.ts'
import { toSentence } from '../vendor-api.ts'
import { exceptionSchema } from './wire.ts'

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
  const told = failureOfKit(words, 'RunPod')
  if (told !== null) return told
  const code = causes.find(([pattern]) => pattern.test(words))?.[1]
  if (code !== undefined) return createFailure(code, toSentence(`RunPod: ${words}`))
  return createFailure(
    'model_error',
    words === '' ? 'The handler failed without saying why.' : toSentence(`The handler failed: ${words}`),
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
