import { z } from 'zod'
import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import { pricesCheckedOn, pricesPerSecond } from './prices.ts'

/** The vendor's own API for jobs (not the one that manages endpoints). */
export const vendorBaseUrl: string = 'https://api.runpod.ai/v2'

/** The vendor's bounds of a job's `executionTimeout`, in milliseconds. */
export const executionTimeoutBounds: { readonly min: number; readonly max: number } = {
  min: 5_000,
  max: 7 * 24 * 60 * 60_000,
}

/** What `runpod()` takes. */
export interface RunpodOptions {
  /** API key (`rpa_...`) that may submit to the endpoints; a read-only key cannot. Sent to `baseUrl` only. */
  readonly apiKey: string
  /** Another place that speaks this API: an emulator, a proxy. Default: the vendor's. */
  readonly baseUrl?: string
}

/** What to run there: a queue-based endpoint, whatever its handler is. */
export interface RunpodTarget {
  /** The endpoint's id, as in `https://api.runpod.ai/v2/<endpoint>/run`. */
  readonly endpoint: string
  /** The vendor stops a job that runs longer than this. Default: the policy's run limit. */
  readonly executionTimeoutMs?: number
  /** The workers' GPU, for the price table. */
  readonly hardware?: string
  /** USD; wins over the table. */
  readonly pricePerSecond?: number
  /** Our input field -> the handler's own name for it. Fields that are not named keep their name. */
  readonly inputs?: { readonly [field: string]: string }
  /** The handler is one of our kits: it calls back first thing and uploads its output itself. */
  readonly kit?: boolean
}

const optionsSchema = z.strictObject({
  apiKey: z.string().min(1, 'must not be empty'),
  baseUrl: z
    .url({ abort: true })
    .default(vendorBaseUrl)
    .refine(isSafe, 'must be https, or http on this machine: the key goes there'),
})

const targetSchema = z.strictObject({
  endpoint: z.string().regex(/^[\w-]+$/, "must be an endpoint's id, such as abc123def456"),
  executionTimeoutMs: z.int().min(executionTimeoutBounds.min).max(executionTimeoutBounds.max).optional(),
  hardware: z.string().optional(),
  pricePerSecond: z.number().nonnegative().optional(),
  inputs: z.record(z.string(), z.string().min(1)).optional(),
  kit: z.boolean().optional(),
})

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: RunpodOptions): Required<RunpodOptions> {
  const result = optionsSchema.safeParse(options)
  if (!result.success) refuse('input_invalid', `runpod(): ${explain(result.error)}.`)
  return { ...result.data, baseUrl: result.data.baseUrl.replace(/\/+$/, '') }
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): RunpodTarget & JsonObject {
  const result = targetSchema.safeParse(target)
  if (!result.success) refuse('deployment_missing', `runpod target: ${explain(result.error)}.`)
  const { hardware, pricePerSecond } = result.data
  if (hardware !== undefined && pricePerSecond === undefined && !Object.hasOwn(pricesPerSecond, hardware))
    refuse(
      'deployment_missing',
      `runpod target: no price is known for hardware "${hardware}". Set pricePerSecond, or use one of ${Object.keys(pricesPerSecond).join(', ')}.`,
    )
  return result.data
}

/** USD for one second of a worker of this target, or null when it names neither price nor hardware. */
export function priceOf(target: RunpodTarget): number | null {
  return target.pricePerSecond ?? pricesPerSecond[target.hardware ?? ''] ?? null
}

/** When the price that `priceOf` answers was looked up; null where the target states it, or none is known. */
export function pricesAsOf(target: RunpodTarget): string | null {
  return target.pricePerSecond === undefined && priceOf(target) !== null ? pricesCheckedOn : null
}

function isSafe(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
}

function explain(error: z.ZodError): string {
  const [issue] = error.issues
  if (issue === undefined) return error.message
  return issue.path.length > 0 ? `${issue.path.join('.')}: ${issue.message}` : issue.message
}
