import type { Breaker } from '../core/breaker.ts'
import type { Clock } from '../core/clock.ts'
import { budgetDayOf } from '../core/money.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import { isOpen } from '../core/schedule.ts'
import { backoffMs, lastUsedAt, nextWarmUpAt } from '../core/warm-up.ts'
import type { Store } from '../store/contract.ts'
import type { KeepWarm, Log, Route } from './contract.ts'
import { localTimeOf } from './local-time.ts'
import { startLoop } from './loop.ts'
import { deploymentsOf } from './routes.ts'
import type { Warmable, WarmRuns } from './warm.ts'

/**
 * Keeps deployments warm in their hours. Whether one is due follows from the attempts in the store, whoever made them; of
 * several processes the store lets one begin a run. Nothing is warmed behind a breaker that is not closed, nor where a day's or a
 * prediction's money does not cover the worst case. A warm-up that fails is waited for longer each time, up to an hour.
 *
 * Calls that keep a worker without a run cost no run and leave nothing in the store, so each process makes its own.
 */
export interface KeepWarmLoop {
  start(): void
  /** Looks at all of them, once. Never rejects. */
  look(): Promise<void>
  stop(): Promise<void>
}

export interface KeepWarmDependencies {
  readonly routes: ReadonlyMap<string, Route>
  readonly store: Pick<Store, 'recentAttempts' | 'spentSince'>
  readonly clock: Clock
  readonly log: Log
  /** By the store's clock. */
  readonly now: () => number
  readonly insight: {
    read(now: number): Promise<void>
    breaker(deployment: string, now: number): Breaker
    closedUntil(deployment: string): number
  }
  readonly warmer: Pick<WarmRuns, 'call' | 'earlier' | 'begin'>
}

interface Kept extends Warmable {
  readonly keepWarm: KeepWarm
  /** Not before this moment does this process do something about it again. */
  restUntil: number
  /** Calls or beginnings in a row that failed here. */
  failures: number
  /** The failed warm-up that was last told of. */
  toldOf: string | null
}

const lookEveryMs = 10_000
/** So many attempts tell when a deployment was last used. */
const remembered = 20

/** No timer is set where no deployment is to be kept warm. */
export function createKeepWarm(dependencies: KeepWarmDependencies): KeepWarmLoop {
  const { routes, store, clock, log, now, insight, warmer } = dependencies
  const kept = new Map<string, Kept>()
  for (const route of routes.values())
    for (const deployment of deploymentsOf(route)) {
      const warmth = deployment.provider.warmth?.(deployment.target)
      const { keepWarm } = deployment
      if (keepWarm === undefined || warmth === undefined || kept.has(deployment.name)) continue
      kept.set(deployment.name, { deployment, route, warmth, keepWarm, restUntil: 0, failures: 0, toldOf: null })
    }
  let endLoop: () => Promise<void> = async () => {}

  async function look(entry: Kept): Promise<void> {
    const { deployment, keepWarm, warmth } = entry
    const { name } = deployment
    const at = now()
    if (!isOpen(keepWarm.window, localTimeOf(at, keepWarm.timeZone)) || at < entry.restUntil) return
    const usedAt = lastUsedAt(await store.recentAttempts(name, remembered), at)
    if (at < usedAt + keepWarm.everyMs || !(await mayWarm(entry))) return
    if (warmth.keptBy === 'call') return await tryOnce(entry, at, () => warmer.call(deployment))
    const earlier = await warmer.earlier(name)
    tell(entry, earlier)
    if (at < nextWarmUpAt(usedAt, earlier, keepWarm.everyMs)) return
    await tryOnce(entry, at, () => warmer.begin(entry, earlier))
  }

  /** What throws leaves nothing in the store that would make it wait longer each time. */
  async function tryOnce(entry: Kept, at: number, work: () => Promise<unknown>): Promise<void> {
    entry.restUntil = at + backoffMs(entry.keepWarm.everyMs, entry.failures + 1)
    await work()
    entry.failures = 0
    entry.restUntil = at + entry.keepWarm.everyMs
  }

  function tell(entry: Kept, [last]: readonly PredictionRecord[]): void {
    if (last === undefined || last.failure === null || last.id === entry.toldOf) return
    entry.toldOf = last.id
    log('warn', 'A warm-up failed.', {
      deployment: entry.deployment.name,
      code: last.failure.code,
      why: last.failure.message,
    })
  }

  async function mayWarm({ deployment: { name, provider, target }, route }: Kept): Promise<boolean> {
    const at = now()
    await insight.read(at)
    if (insight.breaker(name, at).state !== 'closed' || at < insight.closedUntil(name)) return false
    const { budget, budgetPerDay, runMs } = (route.pinnable ?? route).policy
    if (budget === null && budgetPerDay === null) return true
    const price = provider.pricePerSecond(target)
    if (price === null) return false
    const worst = (price * runMs) / 1000
    if (budget !== null && worst > budget) return false
    return budgetPerDay === null || (await store.spentSince(budgetDayOf(at))) + worst <= budgetPerDay
  }

  async function lookAtAll(): Promise<void> {
    for (const entry of kept.values())
      await look(entry).catch((error: unknown) => {
        entry.failures += 1
        log('warn', 'A deployment could not be kept warm.', { deployment: entry.deployment.name, error: String(error) })
      })
  }

  return {
    look: lookAtAll,
    start() {
      if (kept.size === 0) return
      endLoop = startLoop(clock, lookEveryMs, lookAtAll, error =>
        log('error', 'Deployments could not be looked at; tried again soon.', { error: String(error) }),
      )
    },
    stop: () => endLoop(),
  }
}
