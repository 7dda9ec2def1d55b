import { z } from 'zod'

/**
 * The little that is read of Koyeb's API, loosely. Source: its OpenAPI document (`koyeb/koyeb-api-client-go`, 2026-07-03).
 */
export interface WireService {
  readonly service: {
    /** Any word: `STARTING HEALTHY DEGRADED UNHEALTHY DELETING DELETED PAUSING PAUSED RESUMING` are known. */
    readonly status: string
    readonly active_deployment_id?: string
    /** Seconds after which Koyeb deletes the service by itself; 0: never. */
    readonly life_cycle?: { readonly delete_after_create?: number; readonly delete_after_sleep?: number }
  }
}
const seconds = z.number().nonnegative().optional().catch(undefined)
export const serviceSchema: z.ZodType<WireService> = z.looseObject({
  service: z.looseObject({
    status: z.string().min(1).max(200),
    active_deployment_id: z
      .string()
      .regex(/^[\w-]+$/)
      .optional()
      .catch(undefined),
    life_cycle: z
      .looseObject({ delete_after_create: seconds, delete_after_sleep: seconds })
      .optional()
      .catch(undefined),
  }),
})

export interface WireInstances {
  readonly instances: readonly {
    /** Any word: `ALLOCATING STARTING HEALTHY UNHEALTHY STOPPING STOPPED ERROR SLEEPING` are known. */
    readonly status: string
  }[]
}
export const instancesSchema: z.ZodType<WireInstances> = z.looseObject({
  instances: z.array(z.looseObject({ status: z.string().min(1).max(200) })),
})

/** `GET /v1/deployments/{id}`: how the service is deployed. */
export interface WireDefinition {
  /** `WEB`, `WORKER`, ... */
  readonly type?: string
  readonly instance_types?: readonly { readonly type?: string }[]
  readonly scalings?: readonly {
    readonly min?: number
    readonly max?: number
    /** Seconds; `value` is the older name of `deep_sleep_value`. */
    readonly targets?: readonly {
      readonly sleep_idle_delay?: { readonly value?: number; readonly deep_sleep_value?: number }
    }[]
  }[]
}
const word = z.string().max(200).optional().catch(undefined)
const count = z.number().nonnegative().optional().catch(undefined)
export const deploymentSchema: z.ZodType<{ readonly deployment: { readonly definition: WireDefinition } }> =
  z.looseObject({
    deployment: z.looseObject({
      definition: z.looseObject({
        type: word,
        instance_types: z
          .array(z.looseObject({ type: word }))
          .optional()
          .catch(undefined),
        scalings: z
          .array(
            z.looseObject({
              min: count,
              max: count,
              targets: z
                .array(
                  z.looseObject({
                    sleep_idle_delay: z
                      .looseObject({ value: count, deep_sleep_value: count })
                      .optional()
                      .catch(undefined),
                  }),
                )
                .optional()
                .catch(undefined),
            }),
          )
          .optional()
          .catch(undefined),
      }),
    }),
  })
