import { z } from 'zod'
import { refuse } from '../../../core/failure.ts'
import type { JsonObject } from '../../../core/json.ts'
import { commonTarget, parseOptionsOf, parseTargetOf } from '../../option-schemas.ts'
import { type AwsAccess, type AwsBucket, accessOptions, bucketOptions, neededBucketOf } from '../options.ts'
import { lambdaPrices } from '../prices.ts'

/** What `lambda()` takes. The bucket is where a run is seen: Lambda itself tells nothing of an event. */
export interface LambdaOptions extends AwsAccess, AwsBucket {}

/** What to run there: a function that is a kit of ours, without a GPU, for 15 minutes at most. */
export interface LambdaTarget {
  /** Name or ARN of the function, with `:alias` or `:version` where one is meant. */
  readonly function: string
  /** The function's memory in MB, for the price: 128 to 10,240. */
  readonly memoryMb?: number
  /** USD; wins over the price by memory. */
  readonly pricePerSecond?: number
  /** Our input field -> the kit's own name for it. */
  readonly inputs?: { readonly [field: string]: string }
}

const optionsSchema = z.strictObject({ ...accessOptions, ...bucketOptions })
const targetSchema: z.ZodType<LambdaTarget> = z.strictObject({
  function: z.string().regex(/^[\w:$/-]{1,170}$/, "must be a function's name or ARN"),
  memoryMb: z.int().min(128).max(10_240).optional(),
  pricePerSecond: commonTarget.pricePerSecond,
  inputs: commonTarget.inputs,
}) as unknown as z.ZodType<LambdaTarget>

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: LambdaOptions): AwsAccess & { readonly bucket: Required<AwsBucket> } {
  const parsed = parseOptionsOf('lambda', optionsSchema, options)
  return { ...(parsed as AwsAccess), bucket: neededBucketOf('lambda', parsed as Partial<AwsBucket>) }
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): LambdaTarget & JsonObject {
  if (typeof target === 'object' && target !== null && ('gpus' in target || 'hardware' in target))
    refuse('deployment_missing', 'lambda target: Lambda has no GPU and no choice of hardware.', {
      advice: 'For a GPU, use ecs() on a capacity provider or sagemaker(); here, leave gpus and hardware out.',
    })
  return parseTargetOf('lambda', targetSchema, target) as LambdaTarget & JsonObject
}

/** USD for one second of the function; null when neither a price nor its memory is stated. */
export function secondsPrice({ pricePerSecond, memoryMb }: LambdaTarget): number | null {
  return pricePerSecond ?? (memoryMb === undefined ? null : (memoryMb / 1024) * lambdaPrices.gbSecond)
}
