import { type Breaker, breakerOf } from '../core/breaker.ts'
import { type AttemptFact, type Measured, measure } from '../core/statistics.ts'
import type { Store } from '../store/contract.ts'
import type { Deployment, DeploymentReport, Route } from './contract.ts'
import { deploymentsOf } from './routes.ts'

/** What stored attempts say about each deployment: read from the store now and then, looked up at every step. */
export interface Insight {
  /** As of the last reading. */
  measured(deployment: string): Measured | null
  breaker(deployment: string, now: number): Breaker
  /** USD of all attempts sent since midnight (UTC), as of the last reading. */
  spentToday(): number
  /** Reads the store again where attempts may have changed since; otherwise does nothing. */
  refresh(now: number): Promise<void>
  /** Attempts have changed: the next `refresh` reads. */
  stale(): void
  /** Every deployment of every route, read afresh. */
  report(now: number): Promise<readonly DeploymentReport[]>
}

/** So many attempts of a deployment are looked at: enough for a 99th percentile, few enough to forget old troubles. */
const remembered = 200
const dayMs = 24 * 3_600_000

export function createInsight(
  store: Pick<Store, 'recentAttempts' | 'spentSince'>,
  routes: ReadonlyMap<string, Route>,
): Insight {
  const deployments = new Map<string, { readonly deployment: Deployment; readonly model: string }>()
  for (const route of routes.values())
    for (const deployment of deploymentsOf(route))
      deployments.set(deployment.name, { deployment, model: route.model.name })
  const facts = new Map<string, readonly AttemptFact[]>()
  const figures = new Map<string, Measured>()
  let spent = 0
  let isStale = true

  async function read(now: number): Promise<void> {
    isStale = false
    try {
      for (const name of deployments.keys()) {
        const recent = await store.recentAttempts(name, remembered)
        facts.set(name, recent)
        figures.set(name, measure(recent))
      }
      spent = await store.spentSince(Math.floor(now / dayMs) * dayMs)
    } catch (error) {
      isStale = true
      throw error
    }
  }

  /** Credentials and payment concern a whole provider, whichever of its deployments met the refusal. */
  function ofAccount(name: string): AttemptFact[] {
    const provider = deployments.get(name)?.deployment.provider
    return [...deployments].flatMap(([other, entry]) =>
      entry.deployment.provider === provider ? (facts.get(other) ?? []) : [],
    )
  }

  function breaker(name: string, now: number): Breaker {
    return breakerOf(facts.get(name) ?? [], ofAccount(name), now)
  }

  return {
    measured: name => figures.get(name) ?? null,
    breaker,
    spentToday: () => spent,
    async refresh(now) {
      if (isStale) await read(now)
    },
    stale() {
      isStale = true
    },
    async report(now) {
      await read(now)
      return [...deployments.values()].map(({ deployment, model }) => ({
        name: deployment.name,
        model,
        providerName: deployment.providerName,
        kind: deployment.provider.kind,
        measured: figures.get(deployment.name) ?? measure([]),
        breaker: breaker(deployment.name, now),
        pricePerSecond: deployment.provider.pricePerSecond(deployment.target),
        concurrency: deployment.concurrency,
      }))
    },
  }
}
