import { occupiesPlace, type PredictionRecord } from '../core/prediction.ts'
import type { DeploymentWorld } from '../core/world.ts'
import type { Deployment, Route } from './contract.ts'
import type { Insight } from './insight.ts'
import { everyDeployment } from './routes.ts'

/**
 * What this process knows about its deployments: places taken by the records that it drives, who waits for one, and
 * until when a provider asked us to stay away. The store checks places again when a start is written, so what other
 * processes take can delay a start but never exceed a limit.
 */
export interface Places {
  /** As the prediction `id` sees it: places that others have waited for longer are not free for it. */
  world(deployment: Deployment, now: number, id: string): DeploymentWorld
  /** Counts a record's attempts; answers which waiting records may try now. */
  update(record: PredictionRecord): readonly string[]
  forget(id: string): readonly string[]
  /** The store refused a place: others have taken it. */
  full(deployment: string, until: number): void
  /** The provider asked for a pause. */
  close(deployment: string, until: number): void
}

export function createPlaces(
  routes: ReadonlyMap<string, Route>,
  insight: Pick<Insight, 'measured' | 'breaker' | 'closedUntil'>,
): Places {
  const all = everyDeployment(routes)
  const limits = new Map(all.map(({ name, concurrency }) => [name, concurrency]))
  // Adapters read the target for it, which is too much work for every step.
  const prices = new Map(all.map(({ name, provider, target }) => [name, provider.pricePerSecond(target)]))
  const taken = new Map<string, number>()
  const takenBy = new Map<string, readonly string[]>()
  const waitingFor = new Map<string, Set<string>>()
  const fullUntil = new Map<string, number>()
  const closedUntil = new Map<string, number>()

  function count(deployment: string, delta: number): void {
    taken.set(deployment, (taken.get(deployment) ?? 0) + delta)
  }

  function set(id: string, occupied: readonly string[]): readonly string[] {
    const before = takenBy.get(id) ?? []
    for (const deployment of before) count(deployment, -1)
    for (const deployment of occupied) count(deployment, 1)
    if (occupied.length > 0) takenBy.set(id, occupied)
    else takenBy.delete(id)
    return [...new Set(before)]
      .filter(deployment => times(before, deployment) > times(occupied, deployment))
      .flatMap(next)
  }

  /** As many waiting records as there are free places, in the order in which they began to wait. */
  function next(deployment: string): string[] {
    const free = (limits.get(deployment) ?? 0) - (taken.get(deployment) ?? 0)
    return free <= 0 ? [] : [...(waitingFor.get(deployment) ?? [])].slice(0, free)
  }

  function freeFor(id: string, deployment: string): number {
    const free = (limits.get(deployment) ?? 0) - (taken.get(deployment) ?? 0)
    const waiters = waitingFor.get(deployment)
    if (free <= 0 || waiters === undefined) return free
    let ahead = 0
    for (const waiter of waiters) {
      if (waiter === id || ahead === free) break
      ahead += 1
    }
    return free - ahead
  }

  return {
    world(deployment, now, id) {
      const { provider, name } = deployment
      const full = (fullUntil.get(name) ?? 0) > now
      return {
        name,
        free: full ? 0 : freeFor(id, name),
        closedUntil: Math.max(closedUntil.get(name) ?? 0, insight.closedUntil(name)),
        canPoll: provider.poll !== undefined,
        canFind: provider.find !== undefined,
        canCancel: provider.cancel !== undefined,
        pollMs: provider.limits.pollMs,
        heldStart: provider.limits.heldStart,
        silent: provider.limits.silent ?? false,
        startTimeoutMs: provider.limits.startTimeoutMs,
        callTimeoutMs: provider.limits.callTimeoutMs,
        pricePerSecond: prices.get(name) ?? null,
        findIsExact: provider.limits.findIsExact ?? false,
        weight: deployment.weight ?? 1,
        measured: insight.measured(name),
        breaker: insight.breaker(name, now),
      }
    },
    update(record) {
      const planned = new Set(
        record.attempts.flatMap(attempt => (attempt.state === 'planned' ? attempt.deployment : [])),
      )
      for (const [deployment, waiters] of waitingFor) if (!planned.has(deployment)) waiters.delete(record.id)
      // A Set keeps the place of whoever is in it already: first come, first served.
      for (const deployment of planned)
        waitingFor.set(deployment, (waitingFor.get(deployment) ?? new Set()).add(record.id))
      return set(
        record.id,
        record.attempts.filter(occupiesPlace).map(attempt => attempt.deployment),
      )
    },
    forget(id) {
      for (const waiters of waitingFor.values()) waiters.delete(id)
      return set(id, [])
    },
    full: (deployment, until) => void fullUntil.set(deployment, until),
    close: (deployment, until) => void closedUntil.set(deployment, Math.max(until, closedUntil.get(deployment) ?? 0)),
  }
}

function times(list: readonly string[], value: string): number {
  return list.filter(entry => entry === value).length
}
