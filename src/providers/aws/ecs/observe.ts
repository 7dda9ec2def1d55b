import type { Observation } from '../../contract.ts'
import { failureOfWords, type KitState, progressOf } from '../kit.ts'
import { failureOfTask } from './failure.ts'
import type { WireContainer, WireTask } from './wire.ts'

/** What a task means; a success still lacks its outputs. `state`: what its kit last wrote, where there is a bucket. */
export function observe(task: WireTask, state: KitState | null): Observation {
  const seen = { word: task.lastStatus, ...metricsOf(task) }
  if (task.lastStatus === 'STOPPED' || task.stoppedAt !== undefined) return { ...seen, ...ended(task, state) }
  switch (task.lastStatus) {
    case 'PROVISIONING':
      // Waits for a machine: neither a network interface nor a place on an instance is there yet.
      return { status: 'queued', ...seen }
    case 'PENDING':
    case 'ACTIVATING':
      return { status: 'booting', ...seen }
    case 'RUNNING':
    case 'DEACTIVATING':
    case 'STOPPING':
    case 'DEPROVISIONING':
      return { status: 'running', ...seen, progress: progressOf(state) }
    default:
      return { status: 'unclear', ...seen }
  }
}

/** What the kit's last report says of a task that ECS has forgotten: its output outlives the task's hour of memory. */
export function observeMissing(state: KitState | null): Observation {
  return { status: state?.state === 'done' ? 'succeeded' : 'gone', word: 'MISSING' }
}

/** Who is asked to stop, or loses the machine, right after the work was done has still done it. */
function ended(task: WireTask, state: KitState | null): Pick<Observation, 'status' | 'failure'> {
  const main = mainOf(task)
  const isClean = task.stopCode === 'EssentialContainerExited' && main?.exitCode === 0
  if (state?.state === 'done' || (isClean && state?.state !== 'failed')) return { status: 'succeeded' }
  if (task.stopCode === 'UserInitiated') return { status: 'canceled' }
  const failure = state?.state === 'failed' ? failureOfWords(state.error) : failureOfTask(task, main)
  return { status: 'failed', failure }
}

function mainOf({ containers, overrides }: WireTask): WireContainer | undefined {
  const name = overrides?.containerOverrides?.[0]?.name
  return containers?.find(container => container.name === name) ?? containers?.[0]
}

/** Billed on Fargate is from the pull of the image to the stop; on an instance of one's own the instance is. */
function metricsOf({ createdAt, pullStartedAt, startedAt, stoppedAt }: WireTask): Pick<Observation, 'metrics'> {
  if (stoppedAt === undefined) return {}
  const from = pullStartedAt ?? startedAt
  const ms = (since: number) => Math.round(Math.max(0, stoppedAt - since) * 1000)
  return {
    metrics: {
      runMs: from === undefined ? 0 : ms(from),
      ...(createdAt === undefined ? {} : { totalMs: ms(createdAt) }),
    },
  }
}
