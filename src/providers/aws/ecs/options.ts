import { z } from 'zod'
import { refuse } from '../../../core/failure.ts'
import type { JsonObject } from '../../../core/json.ts'
import { commonTarget, parseOptionsOf, parseTargetOf } from '../../option-schemas.ts'
import { checkPrice, priceOf, pricesAsOf } from '../../price-list.ts'
import { type AwsAccess, type AwsBucket, accessOptions, bucketOf, bucketOptions } from '../options.ts'
import { fargatePrices, instancePrices } from '../prices.ts'

/** What `ecs()` takes. Without a bucket everything travels by Surefoot's own public URL. */
export interface EcsOptions extends AwsAccess, Partial<AwsBucket> {
  /** Name of the cluster in which tasks run. Default `default`, which is AWS's own default. */
  readonly cluster?: string
}

/** What to run there: a task definition with one container that is a kit of ours. */
export interface EcsTarget {
  /** `family` or `family:revision`. */
  readonly taskDefinition: string
  /** The kit's container in it. Default `main`. */
  readonly container?: string
  /** Where tasks with a GPU run: a capacity provider of the cluster (Auto Scaling group or Managed Instances). */
  readonly capacityProvider?: string
  /** GPUs for the container; wins over what the task definition says. */
  readonly gpus?: number
  /** Work without a GPU on Fargate, with this size. */
  readonly fargate?: { readonly vcpu: number; readonly memoryGb: number; readonly spot?: boolean }
  /** Needed for network mode `awsvpc`, which Fargate always has. */
  readonly subnets?: readonly string[]
  readonly securityGroups?: readonly string[]
  /** A public address for the task, so that it reaches the Internet from a public subnet. Default false. */
  readonly publicIp?: boolean
  /** Instance type, for the price table: `g5.xlarge`. */
  readonly hardware?: string
  /** USD; wins over the table. */
  readonly pricePerSecond?: number
  /** Our input field -> the kit's own name for it. */
  readonly inputs?: { readonly [field: string]: string }
}

const optionsSchema = z.strictObject({
  ...accessOptions,
  ...bucketOptions,
  cluster: z.string().min(1).default('default'),
})

const names = z.array(z.string().min(1)).min(1).optional()
const { hardware, pricePerSecond, inputs } = commonTarget
const targetSchema = z.strictObject({
  taskDefinition: z.string().regex(/^[\w-]{1,255}(:\d+)?$/, 'must be family or family:revision'),
  container: z.string().min(1).optional(),
  capacityProvider: z.string().min(1).optional(),
  gpus: z.int().min(1).max(16).optional(),
  fargate: z
    .strictObject({
      vcpu: z.number().min(0.25).max(16),
      memoryGb: z.number().min(0.5).max(120),
      spot: z.boolean().optional(),
    })
    .optional(),
  subnets: names,
  securityGroups: names,
  publicIp: z.boolean().optional(),
  hardware,
  pricePerSecond,
  inputs,
})

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: EcsOptions): AwsAccess & {
  readonly cluster: string
  readonly bucket: Required<AwsBucket> | null
} {
  const parsed = parseOptionsOf<z.infer<typeof optionsSchema>>('ecs', optionsSchema, options)
  return { ...(parsed as AwsAccess & { cluster: string }), bucket: bucketOf('ecs', parsed as Partial<AwsBucket>) }
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): EcsTarget & JsonObject {
  const parsed = parseTargetOf<EcsTarget & JsonObject>(
    'ecs',
    targetSchema as unknown as z.ZodType<EcsTarget & JsonObject>,
    target,
  )
  const isFargate = parsed.fargate !== undefined || /^FARGATE(_SPOT)?$/.test(parsed.capacityProvider ?? '')
  if (isFargate && (parsed.gpus !== undefined || parsed.hardware !== undefined))
    refuse('deployment_missing', 'ecs target: Fargate has no GPU and no choice of instance.', {
      advice: 'For a GPU, name a capacityProvider of GPU instances (Auto Scaling group or Managed Instances) instead.',
    })
  if (isFargate && parsed.fargate === undefined)
    refuse('deployment_missing', 'ecs target: capacityProvider: for Fargate, say fargate: { vcpu, memoryGb } instead.')
  if (parsed.fargate !== undefined && parsed.capacityProvider !== undefined)
    refuse('deployment_missing', 'ecs target: name fargate or a capacityProvider, not both.')
  if (parsed.fargate !== undefined && parsed.subnets === undefined)
    refuse('deployment_missing', 'ecs target: subnets: a task on Fargate needs some.')
  checkPrice('ecs', parsed, instancePrices)
  return parsed
}

/** USD for one second of a task at this target; null when unknown. */
export function secondsPrice(target: EcsTarget): number | null {
  const { fargate } = target
  if (fargate === undefined || target.pricePerSecond !== undefined) return priceOf(target, instancePrices)
  return fargate.vcpu * fargatePrices.vcpuSecond + fargate.memoryGb * fargatePrices.gbSecond
}

/** When that price was looked up. */
export function priceDate(target: EcsTarget): string | null {
  if (target.fargate !== undefined && target.pricePerSecond === undefined) return fargatePrices.checkedOn
  return pricesAsOf(target, instancePrices)
}
