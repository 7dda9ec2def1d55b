import type { Health } from '../contract.ts'
import type { WireQueue } from './wire.ts'

/** What the queue's two numbers say. Whether replicas start, crash or are scaled to none, Baseten does not tell. */
export function judgeHealth({ num_queued_requests: queued, num_in_progress_requests: busy }: WireQueue): Health {
  const health = (state: Health['state'], why: string): Health => ({
    state,
    message: `Baseten: ${why} (waiting: ${queued}; in progress: ${busy}).`,
    queued,
    workers: {},
  })
  if (queued === 0) return health('ok', 'no request waits')
  if (busy > 0) return health('queueing', 'requests wait for a replica to become free')
  return health(
    'queueing',
    'requests wait and none runs: a replica starts, fails to start, or none is allowed; see its logs',
  )
}
