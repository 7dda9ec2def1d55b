import type { Health } from '../contract.ts'
import type { WireHealth } from './wire.ts'

/**
 * Queue or crash loop? A waiting job's status cannot tell, the endpoint's workers can. A quiet endpoint without workers is
 * `ok`: it scales from zero. Source: `GET /health`; in a published test four of five "capacity timeouts" were crash loops.
 */
export function judgeHealth({ jobs, workers: told }: WireHealth): Health {
  const workers: { [state: string]: number } = {}
  for (const [state, value] of Object.entries(told)) if (typeof value === 'number') workers[state] = value
  const queued = jobs?.inQueue ?? null
  const count = (...states: string[]) => states.reduce((sum, state) => sum + (workers[state] ?? 0), 0)
  const health = (state: Health['state'], why: string): Health => ({
    state,
    message: `RunPod: ${why} (waiting: ${queued ?? 'not told'}; workers: ${list(workers)}).`,
    queued,
    workers,
  })

  if (queued === 0) return health('ok', 'no job waits')
  if (queued === null || Object.keys(workers).length === 0) return health('unknown', 'its health says too little')
  if (count('idle', 'ready', 'running') > 0) return health('queueing', 'jobs wait for a worker to become free')
  if (count('unhealthy') > 0)
    return health('crash-loop', 'workers start and die before they take a job; read their logs')
  if (count('initializing') > 0) return health('queueing', 'jobs wait for workers that are starting')
  if (count('throttled') > 0) return health('queueing', 'there is no free GPU of the kind that the endpoint asks for')
  return health(
    'no-workers',
    'no worker is coming; see that the endpoint allows any (it is set to 0 after a week without jobs)',
  )
}

function list(workers: Health['workers']): string {
  const some = Object.entries(workers).filter(([, number]) => number > 0)
  return some.length === 0 ? 'none' : some.map(([state, number]) => `${number} ${state}`).join(', ')
}
