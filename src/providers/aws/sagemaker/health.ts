import type { Health, Warming } from '../../contract.ts'
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
  const { instances, wanted } = count(ProductionVariants)
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

/** Whether an instance is up. Only a request brings one, and only where a scaling policy counts requests without capacity. */
export function judgeInstances({ ProductionVariants }: WireEndpoint): Warming {
  const { instances, wanted } = count(ProductionVariants)
  const told = `instances: ${instances}, wanted: ${wanted}`
  if (instances > 0) return { state: 'ready', message: `Amazon SageMaker: an instance is up (${told}).` }
  if (wanted > 0) return { state: 'waking', message: `Amazon SageMaker: an instance is starting (${told}).` }
  return { state: 'cold', message: `Amazon SageMaker: no instance is up, and only a request brings one (${told}).` }
}

function count(variants: WireEndpoint['ProductionVariants'] = []): { instances: number; wanted: number } {
  const sum = (name: 'CurrentInstanceCount' | 'DesiredInstanceCount') =>
    variants.reduce((total, variant) => total + (variant[name] ?? 0), 0)
  return { instances: sum('CurrentInstanceCount'), wanted: sum('DesiredInstanceCount') }
}
