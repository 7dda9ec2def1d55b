import { z } from 'zod'

/**
 * What ECS sends, read loosely: a task has an ARN and a state, everything else that has an unexpected shape counts as
 * absent. Times are seconds since 1970. Source: the models of `@aws-sdk/client-ecs`, and the guide's page on task states.
 */
export interface WireTask {
  readonly taskArn: string
  /** Any word: `PROVISIONING PENDING ACTIVATING RUNNING DEACTIVATING STOPPING DEPROVISIONING STOPPED DELETED` are known. */
  readonly lastStatus: string
  readonly stopCode?: string
  readonly stoppedReason?: string
  readonly createdAt?: number
  readonly pullStartedAt?: number
  readonly startedAt?: number
  readonly stoppedAt?: number
  readonly containers?: readonly WireContainer[]
  /** As the start gave them; the first one names the kit's container. */
  readonly overrides?: { readonly containerOverrides?: readonly { readonly name?: string }[] }
}

export interface WireContainer {
  readonly name?: string
  /** Absent: it never ran, or its host is gone. */
  readonly exitCode?: number
  readonly reason?: string
}

export interface WireFailure {
  readonly arn?: string
  /** `MISSING`, `RESOURCE:GPU`, `AGENT`, ... */
  readonly reason?: string
  readonly detail?: string
}

const text = z.string().optional().catch(undefined)
const time = z.number().positive().optional().catch(undefined)
const containerSchema: z.ZodType<WireContainer> = z.looseObject({
  name: text,
  exitCode: z.int().optional().catch(undefined),
  reason: text,
})
const taskSchema: z.ZodType<WireTask> = z.looseObject({
  taskArn: z.string().min(1).max(500),
  lastStatus: z.string().min(1).max(200),
  stopCode: text,
  stoppedReason: text,
  createdAt: time,
  pullStartedAt: time,
  startedAt: time,
  stoppedAt: time,
  containers: z.array(containerSchema).optional().catch(undefined),
  overrides: z
    .looseObject({
      containerOverrides: z
        .array(z.looseObject({ name: text }))
        .optional()
        .catch(undefined),
    })
    .optional()
    .catch(undefined),
})
const failureSchema: z.ZodType<WireFailure> = z.looseObject({ arn: text, reason: text, detail: text })

/** `RunTask`, `DescribeTasks`: what went well and what did not, both with 200. */
export interface WireTasks {
  readonly tasks: readonly WireTask[]
  readonly failures: readonly WireFailure[]
}
export const tasksSchema: z.ZodType<WireTasks> = z.looseObject({
  tasks: z.array(taskSchema),
  failures: z.array(failureSchema).default([]),
})

export const taskArnsSchema: z.ZodType<{ readonly taskArns: readonly string[] }> = z.looseObject({
  taskArns: z.array(z.string().min(1).max(500)),
})

/** `ConflictException`: the client token was used before, by these tasks. */
export const conflictSchema: z.ZodType<{ readonly resourceIds: readonly string[] }> = z.looseObject({
  resourceIds: z.array(z.string().min(1).max(500)).min(1),
})

/** `DescribeClusters`. */
export interface WireCluster {
  readonly status?: string
  readonly runningTasksCount?: number
  readonly pendingTasksCount?: number
  readonly registeredContainerInstancesCount?: number
}
const count = z.int().nonnegative().optional().catch(undefined)
export const clustersSchema: z.ZodType<{ readonly clusters: readonly WireCluster[] }> = z.looseObject({
  clusters: z.array(
    z.looseObject({
      status: text,
      runningTasksCount: count,
      pendingTasksCount: count,
      registeredContainerInstancesCount: count,
    }),
  ),
})

/** What `start`, `find` and `hear` give and `poll` and `cancel` take. */
export interface Handle {
  readonly cluster: string
  readonly task: string
  /** Key in our store to which the kit uploads, where there is no bucket. */
  readonly stored?: string
  /** Begins the keys of the attempt's objects in the bucket. */
  readonly folder?: string
}
export const handleSchema: z.ZodType<Handle> = z.strictObject({
  cluster: z.string().min(1),
  task: z.string().min(1),
  stored: z.string().min(1).optional(),
  folder: z.string().min(1).optional(),
})
