import { z } from 'zod'
import type { JsonObject } from '../../core/json.ts'
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

/** The vendor's own API for jobs (not the one that manages endpoints). */
export const vendorBaseUrl: string = 'https://api.runpod.ai/v2'
/** The vendor's API that manages endpoints. */
export const vendorManagementUrl: string = 'https://api.runpod.io'

/** The vendor's bounds of a job's `executionTimeout`, in milliseconds. */
export const executionTimeoutBounds: { readonly min: number; readonly max: number } = {
  min: 5_000,
  max: 7 * 24 * 60 * 60_000,
}

/** What `runpod()` takes. */
export interface RunpodOptions {
  /**
   * API key (`rpa_...`) that may submit to the endpoints; a read-only key cannot. Sent to `baseUrl` and, to
   * read an endpoint's settings, to the vendor's management API (an emulator has it at the origin of `baseUrl`) only.
   */
  readonly apiKey: string
  /** Another place that speaks this API: an emulator, a proxy. Default: the vendor's. */
  readonly baseUrl?: string
}

/** What to run there: a queue-based endpoint, whatever its handler is. */
export interface RunpodTarget extends CommonTarget, IdleTarget {
  /** The endpoint's id, as in `https://api.runpod.ai/v2/<endpoint>/run`. */
  readonly endpoint: string
  /** The vendor stops a job that runs longer than this. Default: the policy's run limit. */
  readonly executionTimeoutMs?: number
}

const optionsSchema = z.strictObject({
  apiKey: z.string().min(1, 'must not be empty'),
  baseUrl: vendorUrl(vendorBaseUrl),
})

const targetSchema = z.strictObject({
  endpoint: z.string().regex(/^[\w-]+$/, "must be an endpoint's id, such as abc123def456"),
  executionTimeoutMs: z.int().min(executionTimeoutBounds.min).max(executionTimeoutBounds.max).optional(),
  ...commonTarget,
  ...idleTarget,
})

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: RunpodOptions): Required<RunpodOptions> {
  return parseOptionsOf('runpod', optionsSchema, options)
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): RunpodTarget & JsonObject {
  const parsed = parseTargetOf<RunpodTarget & JsonObject>('runpod', targetSchema, target)
  checkPrice('runpod', parsed, prices)
  return parsed
}
