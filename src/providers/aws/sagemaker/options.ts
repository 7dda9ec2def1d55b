import { z } from 'zod'
import type { JsonObject } from '../../../core/json.ts'
import { commonTarget, type IdleTarget, idleTarget, parseOptionsOf, parseTargetOf } from '../../option-schemas.ts'
import { type AwsAccess, type AwsBucket, accessOptions, bucketOptions, neededBucketOf } from '../options.ts'

/** What `sagemaker()` takes. The bucket holds inputs and a kit's reports; the endpoint's own output path may be in another. */
export interface SagemakerOptions extends AwsAccess, AwsBucket {}

/** What to run there: an asynchronous endpoint, whatever its container is. */
export interface SagemakerTarget extends IdleTarget {
  /** The endpoint's name. */
  readonly endpoint: string
  /** USD per second of one instance; there is no table, `ml.*` instances cost more than the plain ones. */
  readonly pricePerSecond?: number
  /** Our input field -> the model's own name for it. */
  readonly inputs?: { readonly [field: string]: string }
  /** The container is one of our kits: it reports progress and uploads its output. */
  readonly kit?: boolean
}

const optionsSchema = z.strictObject({ ...accessOptions, ...bucketOptions })
const { pricePerSecond, inputs, kit } = commonTarget
const targetSchema: z.ZodType<SagemakerTarget> = z.strictObject({
  endpoint: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/, "must be an endpoint's name"),
  pricePerSecond,
  inputs,
  kit,
  ...idleTarget,
}) as unknown as z.ZodType<SagemakerTarget>

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: SagemakerOptions): AwsAccess & { readonly bucket: Required<AwsBucket> } {
  const parsed = parseOptionsOf('sagemaker', optionsSchema, options)
  return { ...(parsed as AwsAccess), bucket: neededBucketOf('sagemaker', parsed as Partial<AwsBucket>) }
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): SagemakerTarget & JsonObject {
  return parseTargetOf('sagemaker', targetSchema, target) as SagemakerTarget & JsonObject
}
