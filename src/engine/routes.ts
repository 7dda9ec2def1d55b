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
  return [...routes.values()].flatMap(route => route.deployments)
}
