import type { Warming } from '../contract.ts'
import type { WireStats } from './wire.ts'

/**
 * Whether a container is there. One that starts counts as well, and Modal does not tell it from one that is ready; nothing waiting
 * for it is taken for ready. A call is the only thing that brings one: `min_containers` and the autoscaler's other settings are
 * the function's own, and not ours to change. Source: `FunctionGetCurrentStats`.
 */
export function judgeContainers({ backlog = 0, numTotalTasks = 0 }: WireStats): Warming {
  const told = `containers: ${numTotalTasks}, waiting: ${backlog}`
  if (numTotalTasks === 0)
    return { state: 'cold', message: `Modal: no container is there, and only a call starts one (${told}).` }
  if (backlog > 0) return { state: 'waking', message: `Modal: calls wait for a container (${told}).` }
  return { state: 'ready', message: `Modal: a container is there (${told}).` }
}
