import type { Random } from '../core/clock.ts'
import type { Policy } from '../core/policy.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import type { DeploymentWorld, World } from '../core/world.ts'
import type { Deployment, Route } from './contract.ts'
import type { Insight } from './insight.ts'
import type { Places } from './places.ts'
import { everyDeployment, routeFor } from './routes.ts'

export interface WorldDependencies {
  readonly name: string
  readonly alone: boolean
  readonly routes: ReadonlyMap<string, Route>
  readonly places: Places
  readonly insight: Insight
  readonly random: Random
  readonly newId: () => string
}

/** What a step of this record may know at this moment, and the policy that it goes by. */
export type WorldFor = (record: PredictionRecord, now: number, mayBegin: boolean) => { world: World; policy: Policy }

export function createWorlds({ name, alone, routes, places, insight, random, newId }: WorldDependencies): WorldFor {
  const all = everyDeployment(routes)
  return (record, now, mayBegin) => {
    // Without deployments predictions end, clearly, as `deployment_missing`.
    const route = routeFor(routes, record)
    const deployments: { [name: string]: DeploymentWorld } = {}
    const look = (deployment: Deployment) => (deployments[deployment.name] ??= places.world(deployment, now, record.id))
    all.forEach(look)
    return {
      policy: route.policy,
      world: {
        route: route.deployments.map(look),
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
