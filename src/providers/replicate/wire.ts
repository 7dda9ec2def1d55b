import { z } from 'zod'

/**
 * What Replicate sends, read loosely: only `id` and `status` must be there, everything else that has an unexpected shape
 * counts as absent. Source: the published HTTP reference and the types of the vendor's clients.
 */
export interface WirePrediction {
  readonly id: string
  /** Any word: `starting processing succeeded failed canceled aborted` are known. */
  readonly status: string
  readonly input?: unknown
  readonly output?: unknown
  readonly error?: unknown
  /** The whole text so far, not a delta. */
  readonly logs?: string | null
  /** Seconds of running, and from creation to end. */
  readonly metrics?: { readonly predict_time?: number; readonly total_time?: number } | null
  readonly created_at?: string | null
  /** Set once the model is done and every output is uploaded. */
  readonly completed_at?: string | null
  readonly data_removed?: boolean | null
  readonly webhook?: string | null
}

const text = z.string().nullish().catch(null)
/** Beyond a year it is no time, and the cost that follows from it no money. */
const seconds = z
  .number()
  .nonnegative()
  .max(366 * 24 * 3_600)
  .optional()
  .catch(undefined)

/** Ids and words are kept in every record: what is longer is none. */
const mostWord = 200

export const predictionSchema: z.ZodType<WirePrediction> = z.looseObject({
  id: z.string().min(1).max(mostWord),
  status: z.string().min(1).max(mostWord),
  logs: text,
  metrics: z.looseObject({ predict_time: seconds, total_time: seconds }).nullish().catch(null),
  created_at: text,
  completed_at: text,
  data_removed: z.boolean().nullish().catch(null),
  webhook: text,
})

/** A page of a list; `next` is a whole URL with a cursor. */
export interface WirePage {
  readonly next?: string | null
  readonly results: readonly unknown[]
}
export const pageSchema: z.ZodType<WirePage> = z.looseObject({ next: text, results: z.array(z.unknown()) })

/** An uploaded file. */
export interface WireFile {
  readonly id: string
  readonly metadata?: { readonly [key: string]: unknown } | null
  readonly urls: { readonly get: string }
}
export const fileSchema: z.ZodType<WireFile> = z.looseObject({
  id: z.string().min(1),
  metadata: z.record(z.string(), z.unknown()).nullish().catch(null),
  urls: z.looseObject({ get: z.string().min(1) }),
})

/** The account's webhook secret. */
export const webhookSecretSchema: z.ZodType<{ readonly key: string }> = z.looseObject({
  key: z.string().startsWith('whsec_'),
})

/** Whose the token is. */
export const accountSchema: z.ZodType<{ readonly username: string }> = z.looseObject({
  username: z.string().max(mostWord),
})

/** A model, a version or a deployment, as far as a check looks at it. Source: the types of npm `replicate` 1.4.0. */
export interface WirePlace {
  readonly is_official?: boolean
  readonly openapi_schema?: unknown
  readonly latest_version?: { readonly openapi_schema?: unknown }
  readonly current_release?: {
    readonly configuration?: {
      readonly hardware?: string
      readonly min_instances?: number
      readonly max_instances?: number
    }
  }
}
const instances = z.int().nonnegative().optional().catch(undefined)
export const placeSchema: z.ZodType<WirePlace> = z.looseObject({
  is_official: z.boolean().optional().catch(undefined),
  latest_version: z.looseObject({}).optional().catch(undefined),
  current_release: z
    .looseObject({
      configuration: z
        .looseObject({
          hardware: z.string().max(mostWord).optional().catch(undefined),
          min_instances: instances,
          max_instances: instances,
        })
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
})

/** What `start`, `find` and `hear` give and `poll` and `cancel` take. */
export const handleSchema: z.ZodType<{ readonly id: string }> = z.strictObject({ id: z.string().min(1) })
