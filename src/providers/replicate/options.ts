import { z } from 'zod'
import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import { pricesCheckedOn, pricesPerSecond } from './prices.ts'

/** The vendor's own API. */
export const vendorBaseUrl: string = 'https://api.replicate.com/v1'

/** What `replicate()` takes. */
export interface ReplicateOptions {
  /** API token (`r8_...`). Sent to `baseUrl` only. */
  readonly token: string
  /** Another place that speaks this API: an emulator, a proxy, a Surefoot. Default: the vendor's. */
  readonly baseUrl?: string
  /** Upload input files although we have a public URL for them: then the run does not need us while it boots. Default false. */
  readonly preferUpload?: boolean
}

const name = z.string().regex(/^[\w.-]+\/[\w.-]+$/, 'must look like owner/name')

const optionsSchema = z.strictObject({
  token: z.string().min(1, 'must not be empty'),
  baseUrl: z
    .url({ abort: true })
    .default(vendorBaseUrl)
    .refine(isSafe, 'must be https, or http on this machine: the token goes there'),
  preferUpload: z.boolean().default(false),
})

const common = {
  /** SKU, for the price table. */
  hardware: z.string().optional(),
  /** USD; wins over the table. */
  pricePerSecond: z.number().nonnegative().optional(),
  /** Our input field -> the model's own name for it. Fields that are not named keep their name. */
  inputs: z.record(z.string(), z.string().min(1)).optional(),
  /** The model is one of our kits: it takes `surefoot_attempt`, by which a lost run is found again. */
  kit: z.boolean().optional(),
}

const targetSchemas = {
  version: z.strictObject({
    version: z
      .string()
      .regex(/^([\w.-]+\/[\w.-]+:)?[0-9a-f]{64}$/, 'must be 64 hex digits or owner/name:64 hex digits'),
    ...common,
  }),
  model: z.strictObject({ model: name, ...common }),
  deployment: z.strictObject({ deployment: name, ...common }),
}

/** What to run there: one exact version, an official model's current one, or a deployment. */
export type ReplicateTarget = TargetOptions &
  ({ readonly version: string } | { readonly model: string } | { readonly deployment: string })

interface TargetOptions {
  readonly hardware?: string
  readonly pricePerSecond?: number
  readonly inputs?: { readonly [field: string]: string }
  readonly kit?: boolean
}

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: ReplicateOptions): Required<ReplicateOptions> {
  const result = optionsSchema.safeParse(options)
  if (!result.success) refuse('input_invalid', `replicate(): ${explain(result.error)}.`)
  return { ...result.data, baseUrl: result.data.baseUrl.replace(/\/+$/, '') }
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): ReplicateTarget & JsonObject {
  const given = z.record(z.string(), z.unknown()).safeParse(target).data ?? {}
  const forms = (['version', 'model', 'deployment'] as const).filter(form => given[form] !== undefined)
  const [form] = forms
  if (form === undefined || forms.length > 1)
    refuse('deployment_missing', 'A replicate target names exactly one of `version`, `model` and `deployment`.')
  const result = targetSchemas[form].safeParse(target)
  if (!result.success) refuse('deployment_missing', `replicate target: ${explain(result.error)}.`)
  const { hardware, pricePerSecond } = result.data
  if (hardware !== undefined && pricePerSecond === undefined && !(hardware in pricesPerSecond))
    refuse(
      'deployment_missing',
      `replicate target: no price is known for hardware "${hardware}". Set pricePerSecond, or use one of ${Object.keys(pricesPerSecond).join(', ')}.`,
    )
  return result.data
}

/** USD for one second of work at this target, or null when it names neither price nor hardware. */
export function priceOf(target: ReplicateTarget): number | null {
  return target.pricePerSecond ?? pricesPerSecond[target.hardware ?? ''] ?? null
}

/** When the price that `priceOf` answers was looked up; null where the target states it, or none is known. */
export function pricesAsOf(target: ReplicateTarget): string | null {
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
