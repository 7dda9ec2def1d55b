import { z } from 'zod'
import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Warmth } from '../contract.ts'
import {
  type CommonTarget,
  commonTarget,
  type IdleTarget,
  idleOf,
  idleTarget,
  parseOptionsOf,
  parseTargetOf,
  vendorUrl,
} from '../option-schemas.ts'
import { checkPrice } from '../price-list.ts'
import { prices } from './prices.ts'

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
  baseUrl: vendorUrl(vendorBaseUrl),
  preferUpload: z.boolean().default(false),
})

const targetSchemas = {
  version: z.strictObject({
    version: z
      .string()
      .regex(/^([\w.-]+\/[\w.-]+:)?[0-9a-f]{64}$/, 'must be 64 hex digits or owner/name:64 hex digits'),
    ...commonTarget,
    ...idleTarget,
  }),
  model: z.strictObject({ model: name, ...commonTarget, ...idleTarget }),
  deployment: z.strictObject({ deployment: name, ...commonTarget, ...idleTarget }),
}

/** What to run there: one exact version, an official model's current one, or a deployment. */
export type ReplicateTarget = CommonTarget &
  IdleTarget &
  ({ readonly version: string } | { readonly model: string } | { readonly deployment: string })

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: ReplicateOptions): Required<ReplicateOptions> {
  return parseOptionsOf('replicate', optionsSchema, options)
}

/** A target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseTarget(target: unknown): ReplicateTarget & JsonObject {
  const given = z.record(z.string(), z.unknown()).safeParse(target).data ?? {}
  const forms = (['version', 'model', 'deployment'] as const).filter(form => given[form] !== undefined)
  const [form] = forms
  if (form === undefined || forms.length > 1)
    refuse('deployment_missing', 'A replicate target names exactly one of `version`, `model` and `deployment`.')
  const parsed = parseTargetOf<ReplicateTarget & JsonObject>('replicate', targetSchemas[form], target)
  checkPrice('replicate', parsed, prices)
  return parsed
}

/**
 * What keeping an instance takes. A public model is shared by all, and only time at work is billed; a deployment's instances
 * are the account's own, and billed while they start and idle too. How long one idles Replicate does not say. A private model
 * that is no deployment is billed like one, which its target cannot tell. Source: replicate.com/docs/topics/billing.
 */
export function warmthOf(target: ReplicateTarget): Warmth {
  return {
    ...idleOf(target, null),
    bills: 'deployment' in target ? ['boot', 'idle'] : [],
    wokenBy: 'run',
    keptBy: 'run',
  }
}
