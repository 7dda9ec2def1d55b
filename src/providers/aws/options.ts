import { z } from 'zod'
import { refuse } from '../../core/failure.ts'
import { vendorUrl } from '../option-schemas.ts'

/** Keys of an account; `sessionToken` belongs to temporary ones. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Where and as whom the adapters for AWS call. */
export interface AwsAccess {
  /** Such as `us-east-1`. Services and bucket are in the same one. */
  readonly region: string
  /** Default: wherever the AWS SDK finds them (its environment variables, files, or the machine's role). */
  readonly credentials?: AwsCredentials
  /** Another place that speaks these APIs, all of them at one address: an emulator. Default: AWS. */
  readonly endpoint?: string
}

/** A bucket through which inputs, outputs and a kit's reports travel. */
export interface AwsBucket {
  /** Its name. The credentials may put, get and list its objects. */
  readonly bucket: string
  /** Before every key. Default `surefoot/`. Set a lifecycle rule on it: nothing here deletes objects. */
  readonly prefix?: string
}

/** Fields of `AwsAccess` for a strict schema of options. */
export const accessOptions: {
  readonly region: z.ZodType<string>
  readonly credentials: z.ZodType<AwsCredentials | undefined>
  readonly endpoint: z.ZodType<string | undefined>
} = {
  region: z.string().regex(/^[a-z]{2,}(-[a-z]+)+-\d+$/, 'must be a region, such as us-east-1'),
  // Not strict: objects that the SDK gave out or was given carry keys of its own.
  credentials: z
    .object({
      accessKeyId: z.string().min(1),
      secretAccessKey: z.string().min(1),
      sessionToken: z.string().min(1).optional(),
    })
    .optional() as z.ZodType<AwsCredentials | undefined>,
  endpoint: vendorUrl().optional(),
}

/** Fields of `AwsBucket`; both may be absent where the adapter can do without. */
export const bucketOptions: {
  readonly bucket: z.ZodType<string | undefined>
  readonly prefix: z.ZodType<string | undefined>
} = {
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be a bucket's name")
    .optional(),
  prefix: z
    .string()
    .regex(/^([\w.-]+\/)*$/, 'must end with a slash, such as surefoot/')
    .optional(),
}

/** A bucket out of options, with its prefix; null without one. Fails with `input_invalid` for a prefix alone. */
export function bucketOf(factory: string, options: Partial<AwsBucket>): Required<AwsBucket> | null {
  const { bucket, prefix } = options
  if (bucket !== undefined) return { bucket, prefix: prefix ?? 'surefoot/' }
  if (prefix === undefined) return null
  return refuse('input_invalid', `${factory}(): prefix: means nothing without a bucket.`)
}

/** The same where the adapter cannot do without. */
export function neededBucketOf(factory: string, options: Partial<AwsBucket>): Required<AwsBucket> {
  const why = 'it is the only place where a run can be seen'
  return bucketOf(factory, options) ?? refuse('input_invalid', `${factory}(): bucket: must be given; ${why}.`)
}
