import type { Clock } from '../core/clock.ts'
import type { Store } from '../store/contract.ts'

/** How long a lease lasts from when it was taken or renewed. */
export const leaseMs = 15_000
/** How often all leases of a process are renewed, in one statement. */
export const renewEveryMs: number = leaseMs / 3

/** Until when a process may begin effects, by the store's clock: the first fence. */
export interface Leases {
  /** Milliseconds since 1970 by the store's clock, as it was at the last renewal. */
  now(): number
  /** The end of every lease that was not lost; 0 before the first renewal. */
  until(): number
  /** Rejects when the store fails; then `until` stays. */
  renew(): Promise<void>
  /** `until`, after a renewal where less than this is left. A store that fails is reported, and the answer may be too early. */
  lasting(neededMs: number): Promise<number>
}

export interface LeasesDependencies {
  /** The name on the leases. */
  readonly name: string
  readonly store: Pick<Store, 'renew' | 'now'>
  readonly clock: Clock
  /** Called before the store is asked; what it returns is called with what is still ours, by id with the stored version. */
  readonly compare: () => (mine: ReadonlyMap<string, number>) => void
  readonly reportFault: (error: unknown) => void
}

export function createLeases({ name, store, clock, compare, reportFault }: LeasesDependencies): Leases {
  let offset = 0
  let until = 0
  let renewing: Promise<void> | null = null

  const now = () => clock.now() + offset

  async function renew(): Promise<void> {
    const asked = clock.now()
    const tell = compare()
    const [mine, storeNow] = await Promise.all([store.renew(name, leaseMs), store.now()])
    offset = storeNow - clock.now()
    // Counted from before the question: the lease may end earlier than we think, never later.
    until = asked + offset + leaseMs
    tell(mine)
  }

  return {
    now,
    until: () => until,
    renew,
    async lasting(neededMs) {
      if (until - now() > neededMs) return until
      renewing ??= renew()
        .catch(reportFault)
        .finally(() => {
          renewing = null
        })
      await renewing
      return until
    },
  }
}
