import type { Health } from '../contract.ts'
import type { WireInstances, WireService } from './wire.ts'

const away = new Set(['PAUSING', 'PAUSED', 'DELETING', 'DELETED'])

/**
 * What the states of a service and of its instances mean for whoever waits. There is no queue to count. A service that
 * sleeps has no state of its own: its instances say so.
 */
export function judgeHealth({ service }: WireService, { instances }: WireInstances): Health {
  const workers: { [state: string]: number } = {}
  for (const { status } of instances) workers[status] = (workers[status] ?? 0) + 1
  const count = (...states: string[]) => states.reduce((sum, state) => sum + (workers[state] ?? 0), 0)
  const health = (state: Health['state'], why: string): Health => ({
    state,
    message: `Koyeb: ${why} (service: ${service.status}; instances: ${list(workers)}).`,
    queued: null,
    workers,
  })

  if (away.has(service.status)) return health('no-workers', 'the service is switched off')
  if (count('HEALTHY') > 0) return health('ok', 'an instance is there')
  if (count('UNHEALTHY', 'ERROR') > 0)
    return health('crash-loop', "instances start and fail; read their logs and the service's health checks")
  if (count('ALLOCATING', 'STARTING') > 0 || service.status === 'RESUMING')
    return health('queueing', 'an instance is starting, or waits for a free GPU of its type')
  if (count('SLEEPING') > 0) return health('ok', 'the service sleeps, and wakes by a request')
  return health('unknown', 'no instance is there')
}

function list(workers: Health['workers']): string {
  const some = Object.entries(workers).map(([state, number]) => `${number} ${state}`)
  return some.length === 0 ? 'none' : some.join(', ')
}
