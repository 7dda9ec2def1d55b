import { z } from 'zod'

/**
 * What RunPod sends, read loosely: only `id` and `status` must be there, everything else that has an unexpected shape
 * counts as absent. Source: the vendor's documents and the answers that users show.
 */
export interface WireJob {
  readonly id: string
  /** Any word: `IN_QUEUE IN_PROGRESS RUNNING COMPLETED FAILED CANCELLED TIMED_OUT` are known. */
  readonly status: string
  /** Milliseconds in the queue, cold start included. */
  readonly delayTime?: number
  /** Milliseconds on a worker; there only after a worker took the job. */
  readonly executionTime?: number
  /** The result, or under any other word than `COMPLETED` the last progress update. */
  readonly output?: unknown
  readonly error?: unknown
}

/** Beyond a year it is no time, and the cost that follows from it no money. */
const milliseconds = z
  .number()
  .nonnegative()
  .max(366 * 24 * 3_600_000)
  .optional()
  .catch(undefined)

/** Ids and words are kept in every record: what is longer is none. */
const mostWord = 200

export const jobSchema: z.ZodType<WireJob> = z.looseObject({
  id: z.string().min(1).max(mostWord),
  status: z.string().min(1).max(mostWord),
  delayTime: milliseconds,
  executionTime: milliseconds,
})

/** `GET /health`. */
export interface WireHealth {
  readonly jobs?: { readonly inQueue?: number; readonly inProgress?: number }
  readonly workers: { readonly [state: string]: unknown }
}
const count = z.int().nonnegative().optional().catch(undefined)
export const healthSchema: z.ZodType<WireHealth> = z.looseObject({
  jobs: z.looseObject({ inQueue: count, inProgress: count }).optional().catch(undefined),
  workers: z.record(z.string(), z.unknown()),
})

/** `GET /v2/serverless/{id}` of the management API. */
export interface WireEndpoint {
  readonly name?: string
  /** `QUEUE`, `LOAD_BALANCER`. */
  readonly type?: string
  /** `idleTimeout` in seconds. */
  readonly workers: { readonly min?: number; readonly max?: number; readonly idleTimeout?: number }
  /** `OFF`, or what it is. */
  readonly flashboot?: string
}
const word = z.string().max(mostWord).optional().catch(undefined)
export const endpointSchema: z.ZodType<WireEndpoint> = z.looseObject({
  name: word,
  type: word,
  workers: z.looseObject({ min: count, max: count, idleTimeout: count }),
  flashboot: word,
})

/** `GET /v2/serverless/{id}/workers`. */
export interface WireWorkers {
  readonly summary: { readonly unhealthy: number; readonly throttled: number; readonly total: number }
}
export const workersSchema: z.ZodType<WireWorkers> = z.looseObject({
  summary: z.looseObject({
    unhealthy: z.int().nonnegative(),
    throttled: z.int().nonnegative(),
    total: z.int().nonnegative(),
  }),
})

/** What a handler's exception looks like inside `error`, where it is a JSON string. */
export const exceptionSchema: z.ZodType<{ readonly error_type?: string; readonly error_message: string }> =
  z.looseObject({
    error_type: z.string().optional().catch(undefined),
    error_message: z.string(),
  })

/** What `start` and `hear` give and `poll` and `cancel` take. */
export interface Handle {
  /** Every call is made under the job's endpoint. */
  readonly endpoint: string
  readonly id: string
  /** Key in our store to which the kit uploads; absent where the handler is none of ours. */
  readonly stored?: string
}
export const handleSchema: z.ZodType<Handle> = z.strictObject({
  endpoint: z.string().min(1),
  id: z.string().min(1),
  stored: z.string().min(1).optional(),
})
