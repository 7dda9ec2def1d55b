import { z } from 'zod'

/**
 * A prediction as the server answers and posts it, read loosely: only `status` must be there, everything else that has an
 * unexpected shape counts as absent. coglet sends no times and no `input`, Python's 0.16 sends both. Source: Cog's
 * `docs/http.md`, `crates/coglet/src/transport/http/routes.rs` and `prediction.rs`; for 0.16 `python/cog/schema.py`.
 */
export interface WirePrediction {
  /** Null where the server made its own and keeps it (0.16, without an id of ours). */
  readonly id?: string | null
  /** Any word: `starting processing succeeded failed canceled` are known. */
  readonly status: string
  readonly output?: unknown
  readonly error?: unknown
  readonly logs?: string
  readonly metrics?: { readonly predict_time?: number }
  /** 0.16 only, as ISO 8601; it has no metrics where a run failed. */
  readonly started_at?: string
  readonly completed_at?: string
}

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
  id: z.string().min(1).max(mostWord).nullish(),
  status: z.string().min(1).max(mostWord),
  logs: z.string().optional().catch(undefined),
  metrics: z.looseObject({ predict_time: seconds }).optional().catch(undefined),
  started_at: z.string().optional().catch(undefined),
  completed_at: z.string().optional().catch(undefined),
})

/** `GET /health-check`, which answers with 200 whatever it has to say. */
export interface WireHealth {
  /** Any word: `UNKNOWN STARTING READY BUSY SETUP_FAILED DEFUNCT UNHEALTHY` are known. */
  readonly status: string
  readonly user_healthcheck_error?: string
}
export const healthSchema: z.ZodType<WireHealth> = z.looseObject({
  status: z.string().min(1).max(mostWord),
  user_healthcheck_error: z.string().optional().catch(undefined),
})

/** `GET /`. */
export const rootSchema: z.ZodType<{ readonly cog_version?: string }> = z.looseObject({
  cog_version: z.string().max(mostWord).optional().catch(undefined),
})

/** A cancel's answer, which says nothing. */
export const emptySchema: z.ZodType<object> = z.looseObject({})

/** The body of a 409 or 503 in which the server refuses a run. It says `failed` although nothing ever ran. */
export const refusalSchema: z.ZodType<unknown> = z.union([
  z.looseObject({ error: z.string(), status: z.literal('failed') }),
  z.looseObject({ detail: z.string().regex(/already running/i) }),
])

/** FastAPI's form of what is wrong with an input, which coglet keeps. */
export const invalidSchema: z.ZodType<{
  readonly detail: readonly { readonly loc: readonly (string | number)[]; readonly msg: string }[]
}> = z.looseObject({
  detail: z.array(z.looseObject({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string() })).min(1),
})

/** What `start` and `hear` give and `cancel` takes. */
export interface Handle {
  /** Ours: the attempt's. */
  readonly id: string
  /** Key in our store to which the kit uploads; absent where the model is none of ours. */
  readonly stored?: string
}
export const handleSchema: z.ZodType<Handle> = z.strictObject({
  id: z.string().min(1),
  stored: z.string().min(1).optional(),
})
