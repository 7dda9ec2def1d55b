import type { Faulty } from '../misbehave.ts'

/** How a task ended. */
export interface TaskEnd {
  readonly stopCode: 'EssentialContainerExited' | 'TaskFailedToStart' | 'UserInitiated' | 'SpotInterruption'
  readonly stoppedReason: string
  readonly exitCode?: number
  readonly containerReason?: string
}

/** One task inside the emulator. */
export interface Task extends Faulty {
  readonly arn: string
  readonly cluster: string
  readonly taskDefinition: string
  readonly startedBy: string | null
  readonly capacityProvider: string | null
  readonly container: string
  readonly environment: { readonly [name: string]: string }
  /** Where the caller reaches this emulator, and the worker its bucket. */
  readonly origin: string
  readonly createdAt: number
  lastStatus: string
  desiredStatus: 'RUNNING' | 'STOPPED'
  pullStartedAt: number | null
  startedAt: number | null
  stoppedAt: number | null
  end: TaskEnd | null
  readonly stop: AbortController
  readonly timers: Set<() => void>
}

/** Stopped tasks are shown this long at least. Source: the SDK's text on `DescribeTasks`. */
const shownMs = 60 * 60_000

export function isMissing(task: Task, now: number): boolean {
  return task.stoppedAt !== null && now >= task.stoppedAt + shownMs
}

/** Billed as on Fargate: from the image's pull to the stop. */
export function billedMs({ pullStartedAt, stoppedAt }: Task, now: number): number {
  return pullStartedAt === null ? 0 : (stoppedAt ?? now) - pullStartedAt
}

/** A task as ECS shows it; times in seconds. */
export interface TaskView {
  readonly taskArn: string
  readonly clusterArn?: string
  readonly taskDefinitionArn?: string
  readonly capacityProviderName?: string
  readonly startedBy?: string
  readonly lastStatus: string
  readonly desiredStatus?: string
  readonly createdAt?: number
  readonly pullStartedAt?: number
  readonly startedAt?: number
  readonly stoppedAt?: number
  readonly stopCode?: TaskEnd['stopCode']
  readonly stoppedReason?: string
  readonly overrides?: { readonly containerOverrides: readonly { readonly name: string }[] }
  readonly containers?: readonly {
    readonly name: string
    readonly lastStatus: string
    readonly exitCode?: number
    readonly reason?: string
  }[]
}

/** The task as `DescribeTasks` shows it. */
export function view(task: Task): TaskView {
  const { end, createdAt, pullStartedAt, startedAt, stoppedAt } = task
  return {
    taskArn: task.arn,
    clusterArn: task.arn.replace(/:task\/.*/, `:cluster/${task.cluster}`),
    taskDefinitionArn: task.arn.replace(/:task\/.*/, `:task-definition/${task.taskDefinition}`),
    ...(task.capacityProvider === null ? {} : { capacityProviderName: task.capacityProvider }),
    ...(task.startedBy === null ? {} : { startedBy: task.startedBy }),
    lastStatus: wordOf(task),
    desiredStatus: task.desiredStatus,
    createdAt: createdAt / 1000,
    ...(pullStartedAt === null ? {} : { pullStartedAt: pullStartedAt / 1000 }),
    ...(startedAt === null ? {} : { startedAt: startedAt / 1000 }),
    ...(stoppedAt === null ? {} : { stoppedAt: stoppedAt / 1000 }),
    ...(end === null || stoppedAt === null ? {} : { stopCode: end.stopCode, stoppedReason: end.stoppedReason }),
    overrides: { containerOverrides: [{ name: task.container }] },
    containers: [
      {
        name: task.container,
        lastStatus: task.lastStatus,
        ...(end?.exitCode === undefined ? {} : { exitCode: end.exitCode }),
        ...(end?.containerReason === undefined ? {} : { reason: end.containerReason }),
      },
    ],
  }
}

function wordOf({ faults, lastStatus }: Task): string {
  if (!faults.has('weird-status')) return lastStatus
  const [live, word] = faults.text('weird-status') === 'end' ? ['STOPPED', 'DELETED'] : ['RUNNING', 'WEIRD']
  return lastStatus === live ? word : lastStatus
}
