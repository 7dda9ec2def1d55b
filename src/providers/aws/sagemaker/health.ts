import type { Health } from '../../contract.ts'
import type { WireEndpoint } from './wire.ts'

/**
 * Who is there to work. How many requests wait, only a metric of CloudWatch knows (`ApproximateBacklogSize`), and whether one
 * request wakes an endpoint at zero, only its scaling policies: both are other services. Source: `DescribeEndpoint`, and the
 * guide's page on scaling an asynchronous endpoint.
 */
export function judgeHealth({
  EndpointStatus: status,
  FailureReason: reason,
  ProductionVariants,
}: WireEndpoint): Health {
  const sum = (name: 'CurrentInstanceCount' | 'DesiredInstanceCount') =>
    (ProductionVariants ?? []).reduce((total, variant) => total + (variant[name] ?? 0), 0)
  const [instances, wanted] = [sum('CurrentInstanceCount'), sum('DesiredInstanceCount')]
  const health = (state: Health['state'], why: string): Health => ({
    state,
    message: `Amazon SageMaker: ${why} (endpoint: ${status}; instances: ${instances}, wanted: ${wanted}).`,
    queued: null,
    workers: { instances, wanted },
  })
  if (status === 'Failed' || status === 'OutOfService' || status === 'Deleting')
    return health('no-workers', `the endpoint does not serve${reason === undefined ? '' : `: ${reason.slice(0, 200)}`}`)
  if (ProductionVariants === undefined) return health('unknown', 'the endpoint tells nothing of its instances')
  if (instances > 0) return health('ok', 'instances are up')
  if (wanted > 0) return health('queueing', 'requests wait for instances that are starting')
  return health(
    'unknown',
    'no instance is up, and one request wakes none unless a step scaling policy on HasBacklogWithoutCapacity exists; see that it does',
  )
}
