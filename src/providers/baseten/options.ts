import { z } from 'zod'
import type { JsonObject } from '../../core/json.ts'
import {
  type CommonTarget,
  commonTarget,
  type IdleTarget,
  idleTarget,
  isSameOrigin,
  parseOptionsOf,
  parseTargetOf,
  vendorUrl,
} from '../option-schemas.ts'
import { checkPrice } from '../price-list.ts'
import { prices } from './prices.ts'

/** Stands for the vendor, whose models each have a host of their own. */
export const vendorBaseUrl: string = 'https://api.baseten.co'

/** The vendor's bounds of a request's `max_time_in_queue_seconds`. */
export const queueSecondsBounds: { readonly min: number; readonly max: number } = { min: 10, max: 259_200 }

/** What `baseten()` takes. */
export interface BasetenOptions {
  /** API key that may call the models. Sent to the models' hosts (or `baseUrl`) only. */
  readonly apiKey: string
  /**
   * `async`: the request waits in Baseten's queue, and the result comes by webhook or by a kit's upload: needs a public URL.
   * `held`: the connection stays open until the model has answered, at most 20 minutes: for small, quick work.
   * Default `async`.
   */
  readonly mode?: 'async' | 'held'
  /**
   * The workspace's webhook secrets (`whsec_...`), during a rotation both. Once there is one, webhooks without a fitting
   * signature are refused. Default none: the secret in the webhook's URL alone proves it.
   */
  readonly webhookSecrets?: readonly string[]
  /**
   * Another place that speaks this API: an emulator, a proxy. A model is at `<baseUrl>/model-<id>` there. Default: the
   * vendor's `https://model-<id>.api.baseten.co`.
   */
  readonly baseUrl?: string
}

/** What to run there: a model, at its production environment unless the target says otherwise. */
export interface BasetenTarget extends CommonTarget, IdleTarget {
  /** The model's id, as in `https://model-<model>.api.baseten.co`. */
  readonly model: string
  /** `production` (default), `development` or the name of another environment. */
  readonly environment?: string
  /** Id of one deployment, instead of an environment. */
  readonly deployment?: string
  /** 0 to 2; 0 is the highest and the vendor's default. Not in held mode. */
  readonly priority?: number
  /** Baseten drops a request that no replica took within this time. Default: the prediction's deadline. Not in held mode. */
  readonly maxQueueSeconds?: number
}

const optionsSchema = z.strictObject({
  apiKey: z.string().min(1, 'must not be empty'),
  mode: z.enum(['async', 'held']).default('async'),
  webhookSecrets: z.array(z.string().min(1, 'must not be empty')).readonly().default([]),
  baseUrl: vendorUrl(vendorBaseUrl),
})

const name = z.string().regex(/^[\w-]+$/, 'must be a name or id without slashes or dots')
const modelAndPlace = {
  // It becomes part of the host that gets the key.
  model: z.string().regex(/^[a-z0-9]+$/i, "must be a model's id, such as abcd1234"),
  environment: name.optional(),
  deployment: name.optional(),
  ...commonTarget,
  ...idleTarget,
}
const heldTarget = z.strictObject(modelAndPlace)
const asyncTarget = z.strictObject({
  ...modelAndPlace,
  priority: z.int().min(0).max(2).optional(),
  maxQueueSeconds: z.int().min(queueSecondsBounds.min).max(queueSecondsBounds.max).optional(),
})

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: BasetenOptions): Required<BasetenOptions> {
  return parseOptionsOf('baseten', optionsSchema, options)
}

/** Reads a mode's targets as config or the store gives them; fails with `deployment_missing` naming the wrong field. */
export function createTargetParser(mode: 'async' | 'held'): (target: unknown) => BasetenTarget & JsonObject {
  const schema = (mode === 'held' ? heldTarget : asyncTarget).refine(
    ({ environment, deployment }) => environment === undefined || deployment === undefined,
    { path: ['deployment'], message: 'instead of an environment, not beside it' },
  )
  return target => {
    const parsed = parseTargetOf<BasetenTarget & JsonObject>('baseten', schema, target)
    checkPrice('baseten', parsed, prices)
    return parsed
  }
}

/** Where a model is: the vendor gives each a host of its own, other places a path. */
export function modelUrl(baseUrl: string, model: string): string {
  return isSameOrigin(baseUrl, vendorBaseUrl) ? `https://model-${model}.api.baseten.co` : `${baseUrl}/model-${model}`
}

/** The part of a path that says which deployment of the model is meant. */
export function placeOf({ environment = 'production', deployment }: BasetenTarget): string {
  if (deployment !== undefined) return `/deployment/${deployment}`
  if (environment === 'production' || environment === 'development') return `/${environment}`
  return `/environments/${environment}`
}
