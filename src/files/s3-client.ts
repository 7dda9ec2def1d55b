import type * as S3 from '@aws-sdk/client-s3'
import { refuse } from '../core/failure.ts'
import type { S3Options } from './contract.ts'
import { toS3Error } from './s3-failure.ts'

/** How long a connection may take, a request until its answer begins, and a body between two of its bytes. */
export interface S3Limits {
  readonly connectMs: number
  readonly requestMs: number
}

export const usualLimits: S3Limits = { connectMs: 5_000, requestMs: 30_000 }

/** A client of the AWS SDK for one bucket. */
export interface S3Access {
  readonly sdk: typeof S3
  readonly client: S3.S3Client
  readonly bucket: string
  /** Bucket and whole key of one of our keys. */
  at(key: string): { readonly Bucket: string; readonly Key: string }
  /** Runs a call of the SDK; its errors come out as `toS3Error` says, but for those that `expected` takes. */
  call<T>(use: () => Promise<T>): Promise<T>
}

/** Loads the SDK at the first use only. Fails with `deployment_missing`, saying what to install. */
export function createS3Access(
  options: S3Options,
  limits: S3Limits,
  endpoint: string | undefined,
): () => Promise<S3Access> {
  let access: Promise<S3Access> | null = null
  async function open(): Promise<S3Access> {
    const sdk = await load('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'))
    const { bucket, prefix } = options
    return {
      sdk,
      bucket,
      client: new sdk.S3Client(toClientConfig(options, limits, endpoint)),
      at: key => ({ Bucket: bucket, Key: prefix === undefined ? key : `${prefix}/${key}` }),
      async call(use) {
        try {
          return await use()
        } catch (error) {
          throw toS3Error(error, bucket)
        }
      },
    }
  }
  return () => {
    access ??= open().catch((error: unknown) => {
      access = null
      throw error
    })
    return access
  }
}

export async function load<T>(name: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (cause) {
    return refuse('deployment_missing', `Files on S3 need the package "${name}", which is not installed.`, {
      advice: `Install it beside surefoot: npm install ${name}@3`,
      cause,
    })
  }
}

function toClientConfig(
  { region, pathStyle, checksums = false, credentials }: S3Options,
  { connectMs, requestMs }: S3Limits,
  endpoint: string | undefined,
): S3.S3ClientConfig {
  const when = checksums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED'
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    forcePathStyle: pathStyle ?? endpoint !== undefined,
    requestChecksumCalculation: when,
    responseChecksumValidation: when,
    maxAttempts: 3,
    // Without `throwOnRequestTimeout` the handler only writes a warning, and the call waits for ever.
    requestHandler: {
      connectionTimeout: connectMs,
      requestTimeout: requestMs,
      socketTimeout: requestMs,
      throwOnRequestTimeout: true,
    },
  }
}
