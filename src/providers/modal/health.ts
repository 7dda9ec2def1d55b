import type { Health } from '../contract.ts'
import type { WireStats } from './wire.ts'

/**
 * What a function's statistics say. Modal tells how many containers there are, not what becomes of them: one that crashes
 * as it starts and one that waits for a GPU look alike, and only the app's logs tell which. Source: `FunctionGetCurrentStats`.
 */
export function judgeHealth({ backlog, numTotalTasks, numRunningInputs }: WireStats): Health {
  const workers = {
    ...(numTotalTasks === undefined ? {} : { containers: numTotalTasks }),
    ...(numRunningInputs === undefined ? {} : { 'running inputs': numRunningInputs }),
  }
  const health = (state: Health['state'], why: string): Health => ({
    state,
    message: `Modal: ${why} (waiting: ${backlog ?? 'not told'}; containers: ${numTotalTasks ?? 'not told'}).`,
    queued: backlog ?? null,
    workers,
  })
  if (backlog === undefined || numTotalTasks === undefined) return health('unknown', 'its statistics say too little')
  if (backlog === 0) return health('ok', 'no input waits')
  if (numTotalTasks > 0) return health('queueing', 'inputs wait for a container to become free or ready')
  return health(
    'queueing',
    "inputs wait and no container is there: none is free, or they crash as they start; see the app's logs",
  )
}
