import type { Health } from '../../contract.ts'
import type { WireCluster } from './wire.ts'

/**
 * A cluster's own counts. They say how many tasks wait, and not why: no free machine, a slow image and a missing network
 * look alike. Source: `DescribeClusters`.
 */
export function judgeHealth({ clusters: [cluster] }: { readonly clusters: readonly WireCluster[] }): Health {
  if (cluster === undefined || (cluster.status ?? 'ACTIVE') !== 'ACTIVE')
    return { state: 'no-workers', message: 'Amazon ECS: there is no such active cluster.', queued: null, workers: {} }
  const {
    runningTasksCount: running,
    pendingTasksCount: pending,
    registeredContainerInstancesCount: instances,
  } = cluster
  const workers = {
    ...(running === undefined ? {} : { running }),
    ...(instances === undefined ? {} : { instances }),
  }
  const health = (state: Health['state'], why: string): Health => ({
    state,
    message: `Amazon ECS: ${why} (waiting: ${pending ?? 'not told'}; running: ${running ?? 'not told'}; instances: ${instances ?? 'not told'}).`,
    queued: pending ?? null,
    workers,
  })
  if (pending === undefined) return health('unknown', 'the cluster does not say how many tasks wait')
  if (pending === 0) return health('ok', 'no task waits')
  return health('queueing', 'tasks wait for a machine or for their image')
}
