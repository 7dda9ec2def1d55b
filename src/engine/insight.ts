import { type Breaker, breakerOf } from '../core/breaker.ts'
import { budgetDayOf } from '../core/money.ts'
import { type AttemptFact, type Measured, measure } from '../core/statistics.ts'
import type { Provider } from '../providers/contract.ts'
import type { Store } from '../store/contract.ts'
import type { Deployment, DeploymentReport, Route } from './contract.ts'
import { deploymentsOf } from './routes.ts'

/** What stored attempts say about each deployment: read from the store now and then, looked up at every step. */
export interface Insight {
  /** As of the last reading. */
  measured(deployment: string): Measured | null
  breaker(deployment: string, now: number): Breaker
  /** Until when its provider asked any of our processes to stay away; 0 where it did not. */
  closedUntil(deployment: string): number
  /** USD of all attempts sent since midnight (UTC), as of the last reading. */
  spentToday(): number
  /** Reads the store again. */
  read(now: number): Promise<void>
  /** The same where attempts may have changed since; otherwise does nothing. */
  refresh(now: number): Promise<void>
  /** Attempts have changed: the next `refresh` reads. */
  stale(): void
  /** An attempt begins: through a half-open breaker it is the probe, and others wait until the store tells of it. */
  began(deployment: string, now: number): void
  /** Every deployment of every route, read afresh. */
  report(now: number): Promise<readonly DeploymentReport[]>
}

/** So many attempts of a deployment are looked at: enough for a 99th percentile, few enough to forget old troubles. */
const remembered = 200
/** How long this process keeps others out after it let a probe through; by then the store has told of it. */
const probeMs = 10_000

export function createInsight(
  store: Pick<Store, 'recentAttempts' | 'spentSince'>,
  routes: ReadonlyMap<string, Route>,
): Insight {
  const deployments = new Map<string, { readonly deployment: Deployment; readonly model: string; routed: boolean }>()
  for (const route of routes.values()) {
    for (const deployment of deploymentsOf(route)) {
      const routed = route.deployments.includes(deployment)
      deployments.set(deployment.name, { deployment, model: route.model.name, routed })
    }
  }
  const facts = new Map<string, readonly AttemptFact[]>()
  const figures = new Map<string, Measured>()
  const breakers = new Map<string, Breaker>()
  const closed = new Map<string, number>()
  let spent = 0
  let isStale = true

  async function read(now: number): Promise<void> {
    isStale = false
    breakers.clear()
    try {
      for (const name of deployments.keys()) {
        const recent = await store.recentAttempts(name, remembered)
        facts.set(name, recent)
        figures.set(name, measure(recent))
        closed.set(name, Math.max(0, ...recent.map(fact => fact.closedUntil ?? 0)))
      }
      spent = await store.spentSince(budgetDayOf(now))
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

  /** Asked for at every step, worked out once for each reading; only an open one changes by time alone. */
  function breaker(name: string, now: number): Breaker {
    const known = breakers.get(name)
    if (known !== undefined && (known.state !== 'open' || now < known.until)) return known
    const fresh = breakerOf(facts.get(name) ?? [], ofAccount(name), now)
    breakers.set(name, fresh)
    return fresh
  }

  return {
    measured: name => figures.get(name) ?? null,
    breaker,
    closedUntil: name => closed.get(name) ?? 0,
    spentToday: () => spent,
    read,
    async refresh(now) {
      if (isStale) await read(now)
    },
    stale() {
      isStale = true
    },
    began(name, now) {
      const known = breakers.get(name)
      if (known?.state === 'half-open') breakers.set(name, { state: 'open', until: now + probeMs, why: known.why })
    },
    async report(now) {
      await read(now)
      return [...deployments.values()].map(({ deployment, model, routed }) => ({
        name: deployment.name,
        model,
        providerName: deployment.providerName,
        kind: deployment.provider.kind,
        measured: figures.get(deployment.name) ?? measure([]),
        breaker: breaker(deployment.name, now),
        pricePerSecond: deployment.provider.pricePerSecond(deployment.target),
        pricesAsOf: deployment.provider.pricesAsOf?.(deployment.target) ?? null,
        billed: isBilled(deployment.provider),
        routed,
        concurrency: deployment.concurrency,
      }))
    },
  }
}

/** A provider of whose origins all are on this machine is an emulator, or a container of one's own. */
export function isBilled({ limits, trustedOrigins }: Provider): boolean {
  const isHere = (origin: string) => /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(origin).hostname)
  return !limits.thisHostOnly && !(trustedOrigins.length > 0 && trustedOrigins.every(isHere))
}
