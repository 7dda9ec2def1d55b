import { defaultPolicy } from '../core/policy.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import { isWarmUp, warmUpPolicy } from '../core/warm-up.ts'
import type { Provider } from '../providers/contract.ts'
import type { Deployment, Route } from './contract.ts'

/** The deployment with this name on any route; several routes may share one. */
export function findDeployment(routes: ReadonlyMap<string, Route>, name: string): Deployment | undefined {
  return everyDeployment(routes).find(deployment => deployment.name === name)
}

/** The provider that is configured under this name, if some route uses it. */
export function findProvider(routes: ReadonlyMap<string, Route>, providerName: string): Provider | undefined {
  return everyDeployment(routes).find(deployment => deployment.providerName === providerName)?.provider
}

export function everyDeployment(routes: ReadonlyMap<string, Route>): Deployment[] {
  return [...routes.values()].flatMap(deploymentsOf)
}

/** Every deployment that is configured for the route's model, those of the route first. */
export function deploymentsOf({ deployments, pinnable }: Route): readonly Deployment[] {
  return [...new Set([...deployments, ...(pinnable?.deployments ?? [])])]
}

/** A shadow run measures a deployment: one attempt tells, and more would only cost. */
const shadowBudget = { attempts: 1, hedges: 0 } as const

/**
 * Where a prediction may run and under which policy: what it is pinned to, else its model's route. A model or a
 * deployment that left the configuration is not there any more.
 */
export function routeFor(
  routes: ReadonlyMap<string, Route>,
  {
    id,
    model,
    route: pinned,
    shadowOf,
  }: Pick<PredictionRecord, 'model' | 'route' | 'shadowOf'> & { readonly id?: string },
): Pick<Route, 'deployments' | 'policy'> {
  const route = routes.get(model)
  if (route === undefined) return { deployments: [], policy: defaultPolicy }
  // Records of before there was pinning have no such key.
  if (pinned == null) return route
  const { deployments, policy } = route.pinnable ?? route
  const isWarming = id !== undefined && isWarmUp(id)
  return {
    deployments: pinned.flatMap(name => deployments.find(deployment => deployment.name === name) ?? []),
    // Whoever names deployments has chosen their order.
    policy: isWarming
      ? warmUpPolicy(policy)
      : { ...policy, routing: 'ordered', ...(shadowOf !== undefined && shadowBudget) },
  }
}
