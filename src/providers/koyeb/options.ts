import { z } from 'zod'
import type { JsonObject } from '../../core/json.ts'
import { type CogOptions, type CommonOptions, commonOptions } from '../cog/options.ts'
import {
  type CommonTarget,
  commonTarget,
  type IdleTarget,
  idleTarget,
  parseOptionsOf,
  parseTargetOf,
  vendorUrl,
} from '../option-schemas.ts'
import { checkPrice } from '../price-list.ts'
import { prices } from './prices.ts'

/** Koyeb's API for services and instances (runs are the container's own). */
export const vendorBaseUrl: string = 'https://app.koyeb.com'

/** What `koyeb()` takes: a service whose container is a Cog server. */
export interface KoyebOptions extends Omit<CogOptions, 'baseUrl'> {
  /** The service's public address, e.g. `https://cog-acme.koyeb.app`. One service per provider, of one instance. */
  readonly baseUrl: string
  /**
   * Koyeb's API token and the service's id, for its health: asking the service itself would wake it. Both or neither;
   * without them there is no health.
   */
  readonly token?: string
  readonly service?: string
  /** Another place that speaks Koyeb's API: an emulator, a proxy. Default: the vendor's. */
  readonly apiUrl?: string
}

/** What is known of a run there. `hardware` is an instance type, such as `gpu-nvidia-l4`. */
export type KoyebTarget = CommonTarget & IdleTarget

/** Options as they are used. */
export interface ParsedOptions extends CommonOptions {
  readonly token?: string | undefined
  readonly service?: string | undefined
  readonly apiUrl: string
}

const optionsSchema = z
  .strictObject({
    baseUrl: vendorUrl(),
    ...commonOptions,
    token: z.string().min(1, 'must not be empty').optional(),
    service: z
      .string()
      .regex(/^[\w-]+$/, "must be a service's id")
      .optional(),
    apiUrl: vendorUrl(vendorBaseUrl),
  })
  .refine(({ token, service }) => (token === undefined) === (service === undefined), {
    path: ['service'],
    message: 'must be set together with token: health is asked for both',
  })

const targetSchema = z.strictObject({ ...commonTarget, ...idleTarget })

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: KoyebOptions): ParsedOptions {
  return parseOptionsOf('koyeb', optionsSchema as z.ZodType<ParsedOptions>, options)
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): KoyebTarget & JsonObject {
  const parsed = parseTargetOf<KoyebTarget & JsonObject>('koyeb', targetSchema, target)
  checkPrice('koyeb', parsed, prices)
  return parsed
}
