import { createFailure, type Failure, SurefootError } from '../core/failure.ts'

/** What an error of the AWS SDK tells, whatever its class: services' errors, its own and the network's. */
export interface S3Fault {
  /** S3's code, `NoSuchBucket`, or the error's own name, `TimeoutError`. */
  readonly name: string
  /** HTTP status; null where there was no answer. */
  readonly status: number | null
  readonly message: string
}

export function readFault(error: unknown): S3Fault {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const metadata =
    error instanceof Error && '$metadata' in error ? (error.$metadata as { httpStatusCode?: number }) : {}
  return { name, message, status: metadata.httpStatusCode ?? null }
}

/**
 * The store's failures in our words: `storage_full`, `auth_rejected`, `deployment_missing` (no such bucket, or the SDK is
 * not installed), and `provider_unreachable` for all that may pass: timeouts, the network, overload. Error codes: docs.aws
 * .amazon.com/AmazonS3/latest/API/ErrorResponses.html; `XMinioStorageFull`: minio/minio, cmd/api-errors.go; B2 answers 403
 * with words about a cap: backblaze.com/docs/cloud-storage-s3-compatible-api.
 */
export function toS3Error(error: unknown, bucket: string): SurefootError {
  if (SurefootError.is(error)) return error
  const fault = readFault(error)
  const failure = failureOf(fault, bucket)
  return new SurefootError(failure, {
    cause: error,
    ...(failure.code === 'storage_full' ? { status: 507 } : { status: 503 }),
  })
}

function failureOf({ name, status, message }: S3Fault, bucket: string): Failure {
  const words = `The bucket ${bucket}: ${name === 'Error' ? '' : `${name}: `}${message.replace(/\.?$/, '.')}`
  const config = (code: Failure['code'], advice: string) => createFailure(code, words, { fault: 'config', advice })
  if (
    /StorageFull|QuotaExceeded|InsufficientStorage/.test(name) ||
    status === 507 ||
    /storage cap exceeded/i.test(message)
  )
    return createFailure('storage_full', words, { advice: 'Make room in the bucket, or raise its quota.' })
  if (name === 'NoSuchBucket')
    return config('deployment_missing', 'Make the bucket, or correct `files.s3` in the config.')
  if (name === 'RequestTimeTooSkewed')
    return config(
      'auth_rejected',
      "Set this machine's clock: the store takes requests that are at most 15 minutes off.",
    )
  if (name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed')
    return config('deployment_missing', 'The bucket is in another region; correct `files.s3.region`.')
  if (
    /Credential|ExpiredToken|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|InvalidToken/.test(name) ||
    status === 401 ||
    status === 403
  )
    return config(
      'auth_rejected',
      'Give credentials that may s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket there; without the last, a missing file is answered with 403.',
    )
  return createFailure('provider_unreachable', words, { advice: 'Look whether the store can be reached and is well.' })
}
