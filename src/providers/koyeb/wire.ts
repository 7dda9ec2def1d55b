import { z } from 'zod'

/**
 * The little that is read of Koyeb's API, loosely. Source: its OpenAPI document (`koyeb/koyeb-api-client-go`, 2026-07-03).
 */
export interface WireService {
  readonly service: {
    /** Any word: `STARTING HEALTHY DEGRADED UNHEALTHY DELETING DELETED PAUSING PAUSED RESUMING` are known. */
    readonly status: string
    readonly active_deployment_id?: string
  }
}
export const serviceSchema: z.ZodType<WireService> = z.looseObject({
  service: z.looseObject({
    status: z.string().min(1).max(200),
    active_deployment_id: z
      .string()
      .regex(/^[\w-]+$/)
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
