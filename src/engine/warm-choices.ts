import { prefer } from '../core/routing.ts'
import type { DeploymentReport, MigrationReport, Route } from './contract.ts'

/** Which deployments a prediction of the model may begin on now, each with the reason. */
export function firstChoices(
  { deployments, policy }: Route,
  reports: ReadonlyMap<string, DeploymentReport>,
): ReadonlyMap<string, string> {
  const isOut = (name: string) => reports.get(name)?.breaker.state === 'open'
  if (policy.routing === 'weighted') {
    const drawn = deployments.filter(({ name, weight = 1 }) => weight > 0 && !isOut(name))
    return new Map(drawn.map(({ name }) => [name, 'Drawn by weight: any may be first.']))
  }
  const route = deployments.map(({ name, weight = 1 }) => {
    const known = reports.get(name)
    return { name, weight, measured: known?.measured ?? null, pricePerSecond: known?.pricePerSecond ?? null }
  })
  const { order, why } = prefer(route, policy, () => 0)
  const first = order.find(({ name }) => !isOut(name)) ?? order[0]
  if (first === undefined) return new Map()
  return new Map([[first.name, first === order[0] ? why : `${order[0]?.name} is out just now.`]])
}

/** The same while the model moves from one to another. */
export function movingChoices({ from, to }: Pick<MigrationReport, 'from' | 'to'>): ReadonlyMap<string, string> {
  const some = [to, from].filter(({ percent }) => percent > 0)
  return new Map(some.map(({ name, percent }) => [name, `By its migration ${percent} % of predictions begin there.`]))
}
