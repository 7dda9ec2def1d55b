import { z } from 'zod'

/**
 * What Replicate sends, read loosely: only `id` and `status` must be there, everything else that has an unexpected shape
 * counts as absent. Source: the published HTTP reference and the types of the vendor's clients.
 */
export const predictionSchema = z.looseObject({
  id: z.string().min(1),
  /** Any word: `starting processing succeeded failed canceled aborted` are known. */
  status: z.string().min(1),
  input: z.unknown().optional(),
  output: z.unknown().optional(),
  error: z.unknown().optional(),
  /** The whole text so far, not a delta. */
  logs: z.string().nullish().catch(null),
  metrics: z
    .looseObject({
      /** Seconds of running. */
      predict_time: z.number().nonnegative().optional().catch(undefined),
      /** Seconds from creation to end. */
      total_time: z.number().nonnegative().optional().catch(undefined),
    })
    .nullish()
    .catch(null),
  created_at: z.string().nullish().catch(null),
  /** Set once the model is done and every output is uploaded. */
  completed_at: z.string().nullish().catch(null),
  data_removed: z.boolean().nullish().catch(null),
  webhook: z.string().nullish().catch(null),
})
export type WirePrediction = z.infer<typeof predictionSchema>

/** A page of a list; `next` is a whole URL with a cursor. Items that cannot be read are left out. */
export const pageSchema = z.looseObject({
  next: z.string().nullish().catch(null),
  results: z.array(z.unknown()),
})

/** An uploaded file. */
export const fileSchema = z.looseObject({
  id: z.string().min(1),
  metadata: z.record(z.string(), z.unknown()).nullish().catch(null),
  urls: z.looseObject({ get: z.string().min(1) }),
})

export const webhookSecretSchema = z.looseObject({ key: z.string().startsWith('whsec_') })

/** Errors: RFC 7807, loosely; many have only `detail`. */
export const problemSchema = z.looseObject({
  title: z.string().optional().catch(undefined),
  detail: z.unknown().optional(),
})

/** What `start`, `find` and `hear` give and `poll` and `cancel` take. */
export const handleSchema = z.strictObject({ id: z.string().min(1) })
