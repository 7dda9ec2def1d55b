import { z } from 'zod'

/**
 * What Baseten sends, read loosely: what is not needed and has an unexpected shape counts as absent. Source: the OpenAPI
 * file of the inference API in `basetenlabs/baseten-js`, and docs.baseten.co/inference/async.
 */
export interface WireStatus {
  readonly request_id: string
  /** Any word: `QUEUED IN_PROGRESS SUCCEEDED FAILED EXPIRED CANCELED WEBHOOK_FAILED` are known. */
  readonly status: string
  /** Any word: `PENDING SUCCEEDED FAILED CANCELED NO_WEBHOOK_PROVIDED` are known. */
  readonly webhook_status?: string
  readonly created_at?: string
  /** When `status` was reached. */
  readonly status_at?: string
  readonly errors: readonly WireError[]
}

export interface WireError {
  /** `MODEL_PREDICT_ERROR`, `MODEL_NOT_READY`, ... */
  readonly code?: string
  readonly message?: string
}

/** Ids and words are kept in every record: what is longer is none. */
const word = z.string().min(1).max(200)
const time = z.string().max(100).optional().catch(undefined)
const errors: z.ZodType<readonly WireError[]> = z
  .array(
    z.looseObject({ code: z.string().optional().catch(undefined), message: z.string().optional().catch(undefined) }),
  )
  .catch([])

export const statusSchema: z.ZodType<WireStatus> = z.looseObject({
  request_id: word,
  status: word,
  webhook_status: word.optional().catch(undefined),
  created_at: time,
  status_at: time,
  errors,
})

/** The answer to `async_predict`. */
export const submittedSchema: z.ZodType<{ readonly request_id: string }> = z.looseObject({ request_id: word })

/** The answer to a cancel; `canceled: false` does not say why. */
export const canceledSchema: z.ZodType<{ readonly canceled: boolean }> = z.looseObject({ canceled: z.boolean() })

/** The webhook of a request's end. `type` is the same for success and failure; `errors` tells them apart. */
export interface WireWebhook {
  readonly request_id: string
  readonly type: string
  readonly time?: string
  /** The model's answer. */
  readonly data?: unknown
  readonly errors: readonly WireError[]
}
export const webhookSchema: z.ZodType<WireWebhook> = z.looseObject({
  request_id: word,
  type: z.literal('async_request_completed'),
  time,
  errors,
})

/** `GET .../async_queue_status`. */
export interface WireQueue {
  readonly num_queued_requests: number
  readonly num_in_progress_requests: number
}
export const queueSchema: z.ZodType<WireQueue> = z.looseObject({
  num_queued_requests: z.int().nonnegative(),
  num_in_progress_requests: z.int().nonnegative(),
})

/** `GET /v1/models/{model}/deployments/{place}` of the management API. */
export interface WireDeployment {
  /** Any word: `ACTIVE SCALED_TO_ZERO BUILDING DEPLOYING FAILED INACTIVE UNHEALTHY`, ... */
  readonly status: string
  readonly name?: string
  readonly active_replica_count?: number
  readonly autoscaling_settings?: {
    readonly min_replica?: number
    readonly max_replica?: number
    readonly concurrency_target?: number
    /** Seconds. */
    readonly scale_down_delay?: number
  }
}
const count = z.number().nonnegative().optional().catch(undefined)
export const deploymentSchema: z.ZodType<WireDeployment> = z.looseObject({
  status: word,
  name: word.optional().catch(undefined),
  active_replica_count: count,
  autoscaling_settings: z
    .looseObject({ min_replica: count, max_replica: count, concurrency_target: count, scale_down_delay: count })
    .optional()
    .catch(undefined),
})
/** `GET /v1/models/{model}/environments/{name}`. */
export const environmentSchema: z.ZodType<{ readonly current_deployment: WireDeployment }> = z.looseObject({
  current_deployment: deploymentSchema,
})

/** Milliseconds since 1970, or null; a time without a zone is UTC. */
export function timeOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const at = Date.parse(/(?:z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`)
  return Number.isNaN(at) ? null : at
}

/** What `start` and `hear` give and `poll` and `cancel` take. */
export interface Handle {
  /** Every call is made at the host of the request's model. */
  readonly model: string
  readonly id: string
  /** Key in our store to which the kit uploads; absent where the model is none of ours. */
  readonly stored?: string
}
export const handleSchema: z.ZodType<Handle> = z.strictObject({
  model: z.string().regex(/^[a-z0-9]+$/i),
  id: z.string().min(1),
  stored: z.string().min(1).optional(),
})
