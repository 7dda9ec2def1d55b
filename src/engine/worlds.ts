import type { Random } from '../core/clock.ts'
import type { Policy } from '../core/policy.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import type { DeploymentWorld, World } from '../core/world.ts'
import type { Deployment, Route } from './contract.ts'
import type { Insight } from './insight.ts'
import type { Migrations } from './migrations.ts'
import type { Places } from './places.ts'
import { everyDeployment, routeFor } from './routes.ts'

export interface WorldDependencies {
  /** Unique for each process start: the name on leases and pending effects. */
  readonly name: string
  /** True where no other process can be alive (an owned data folder). */
  readonly alone: boolean
  readonly routes: ReadonlyMap<string, Route>
  readonly places: Places
  /** What stored attempts say; read again in a loop of the driver's. */
  readonly insight: Insight
  /** Where the traffic of models that move goes. */
  readonly migrations: Pick<Migrations, 'order'>
  readonly random: Random
  readonly newId: () => string
}

/** What a step of this record may know at this moment, and the policy that it goes by. */
export type WorldFor = (record: PredictionRecord, now: number, mayBegin: boolean) => { world: World; policy: Policy }

export function createWorlds({
  name,
  alone,
  routes,
  places,
  insight,
  migrations,
  random,
  newId,
}: WorldDependencies): WorldFor {
  const all = everyDeployment(routes)
  return (record, now, mayBegin) => {
    // Without deployments predictions end, clearly, as `deployment_missing`.
    const route = routeFor(routes, record)
    const order = record.route == null ? migrations.order(record) : null
    const deployments: { [name: string]: DeploymentWorld } = {}
    const look = (deployment: Deployment) => (deployments[deployment.name] ??= places.world(deployment, now, record.id))
    all.forEach(look)
    const policy: Policy = order === null ? route.policy : { ...route.policy, routing: 'ordered' }
    return {
      policy:
        record.allowance === undefined
          ? policy
          : { ...policy, budget: Math.min(record.allowance, policy.budget ?? record.allowance) },
      world: {
        route: (order?.deployments ?? route.deployments).map(look),
        ...(order !== null && { routeWhy: order.why }),
        deployments,
        spentToday: insight.spentToday(),
        mayBegin,
        alone,
        engine: name,
        newId,
        jitter: random,
      },
    }
  }
}
