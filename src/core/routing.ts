import type { Policy } from './policy.ts'
import { enoughSamples } from './statistics.ts'
import type { DeploymentWorld } from './world.ts'

/** What a run is taken to last before runs were measured: a guess that is the same for all, so only prices decide. */
const assumedRunMs = 10_000

/** As much of a deployment as its place in the order depends on. */
export type Choice = Pick<DeploymentWorld, 'name' | 'weight' | 'measured' | 'pricePerSecond'>

/** Deployments in the order of preference that the policy asks for, with the reason for the first in words. */
export interface Preference<T extends Choice = DeploymentWorld> {
  readonly order: readonly T[]
  readonly why: string
}

/**
 * Orders a route. `cheapest`, `fastest` and `reliable` use what was measured of a deployment where at least
 * `enoughSamples` attempts tell, else what is declared: its price for an assumed run, no time at all (so it keeps its
 * place behind measured ones), and the doubt of few samples. Equals keep the route's own order.
 */
export function prefer<T extends Choice>(
  route: readonly T[],
  policy: Pick<Policy, 'routing'>,
  dice: () => number,
): Preference<T> {
  switch (policy.routing) {
    case 'ordered':
      return { order: route, why: 'First choice of the route.' }
    case 'weighted':
      return { order: drawByWeight(route, dice), why: 'Drawn by weight.' }
    case 'cheapest':
      return by(route, costOf, value => `${dollars(value)} for each finished image`)
    case 'fastest':
      return by(route, secondsOf, value => `${value.toFixed(1)} s to a result in the median`)
    case 'reliable':
      return by(route, doubtOf, value => `at least ${Math.round((1 - value) * 1000) / 10} % of attempts succeed`)
  }
}

function by<T extends Choice>(
  route: readonly T[],
  figure: (deployment: Choice) => number,
  say: (value: number) => string,
): Preference<T> {
  const order = route.toSorted((a, b) => compare(figure(a), figure(b)))
  const first = order[0]
  const value = first === undefined ? Number.POSITIVE_INFINITY : figure(first)
  if (first === undefined || value === Number.POSITIVE_INFINITY)
    return { order, why: 'Nothing is known yet: first choice of the route.' }
  const source = isMeasured(first) ? `measured, ${first.measured?.samples} attempts` : 'declared'
  return { order, why: `${first.name}: ${say(value)} (${source}).` }
}

/** Infinity minus Infinity is no number, and would shuffle the rest. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1
}

function isMeasured({ measured }: Choice): boolean {
  return measured !== null && measured.samples >= enoughSamples
}

/** USD for each finished image. */
function costOf(deployment: Choice): number {
  const { measured, pricePerSecond } = deployment
  if (isMeasured(deployment) && measured?.costPerSuccess != null) return measured.costPerSuccess
  if (pricePerSecond === null) return Number.POSITIVE_INFINITY
  return (pricePerSecond * (measured?.run?.p50 ?? assumedRunMs)) / 1000
}

function secondsOf(deployment: Choice): number {
  return isMeasured(deployment)
    ? (deployment.measured?.total?.p50 ?? Number.POSITIVE_INFINITY) / 1000
    : Number.POSITIVE_INFINITY
}

/** One minus the lower end of the success interval: little known is as doubtful as often failing. */
function doubtOf({ measured }: Choice): number {
  return measured?.success == null ? Number.POSITIVE_INFINITY : 1 - measured.success.low
}

/** A random order in which each next one is drawn in proportion to the weights of those that are left. */
function drawByWeight<T extends Choice>(route: readonly T[], dice: () => number): T[] {
  const left = [...route]
  const order: T[] = []
  while (left.length > 0) {
    let mark = dice() * left.reduce((sum, { weight }) => sum + weight, 0)
    const drawn = left.findIndex(({ weight }) => {
      mark -= weight
      return mark < 0
    })
    order.push(...left.splice(Math.max(0, drawn), 1))
  }
  return order
}

function dollars(value: number): string {
  return `${value.toPrecision(2)} USD`
}
