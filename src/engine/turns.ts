import type { Clock } from '../core/clock.ts'
import type { Store } from '../store/contract.ts'
import type { Log, Turn, TurnOptions } from './contract.ts'
import type { Driver } from './driver.ts'
import type { Migrations } from './migrations.ts'

/** Runs requests' turns; see `Engine.turn`. */
export interface Turns {
  run<T>(work: (turn: Turn) => Promise<T>, options?: TurnOptions): Promise<T>
}

export interface TurnsDependencies {
  readonly driver: Pick<Driver, 'wake' | 'look' | 'quiet' | 'sleep' | 'apply' | 'now'>
  readonly store: Pick<Store, 'get'>
  readonly clock: Clock
  /** Default limit of a turn. */
  readonly turnMs: number
  readonly migrations: Pick<Migrations, 'read' | 'quiet'>
  readonly log: Log
  keepHouse(): Promise<void>
}

const usualOthers = 8

/**
 * asleep ── first turn begins ──> awake ── last turn ends ──> falling asleep ──> asleep
 *
 * Waking and falling asleep happen one after the other: a turn that begins while the engine falls asleep waits for that,
 * and wakes it again. Nobody waits for either beyond the time of its turn: work whose turn could not wake the engine in time
 * is done all the same, with nothing advanced, and what falls asleep late does so by itself. A turn that begins while it is awake looks for due records anew, because the host may have frozen
 * this process since the last look.
 */
export function createTurns(dependencies: TurnsDependencies): Turns {
  const { driver, store, clock, turnMs, migrations, log, keepHouse } = dependencies
  let open = 0
  let isAwake = false
  /** The newest waking, look or falling asleep; never rejects. */
  let changing: Promise<unknown> = Promise.resolve()

  function inOrder(change: () => Promise<void>): Promise<void> {
    const changed = changing.then(change)
    changing = changed.catch(() => {})
    return changed
  }

  async function wake(others: number): Promise<void> {
    open += 1
    await inOrder(async () => {
      if (isAwake) return await driver.look(others)
      await migrations.read()
      await driver.wake(others)
      isAwake = true
    })
  }

  async function sleep(): Promise<void> {
    open -= 1
    await inOrder(async () => {
      if (open > 0 || !isAwake) return
      isAwake = false
      await migrations.quiet()
      await driver.sleep()
    }).catch(error => log('warn', 'Leases could not be given back; they end by themselves.', { error: String(error) }))
  }

  return {
    async run(work, { limitMs = turnMs, others = usualOthers } = {}) {
      const over = new AbortController()
      const disarm = clock.after(limitMs, () => over.abort(new Error('The time of this turn is over.')))
      const isOver = new Promise<void>(resolve =>
        over.signal.addEventListener('abort', () => resolve(), { once: true }),
      )
      try {
        await Promise.race([wake(others), isOver])
        return await work({
          signal: over.signal,
          async advance({ id, owner, forMs = 0 } = {}) {
            if (over.signal.aborted) return
            const until = driver.now() + forMs
            const stored = id === undefined ? null : await store.get(id)
            const isTheirs = owner === undefined || stored?.record.owner === owner
            // A settled one wants nothing, and its lease would be in nobody's hands.
            if (id !== undefined && stored !== null && isTheirs && stored.nextAt !== null)
              await driver.apply(id, { type: 'timePassed' })
            // What others wait for is not this one's business.
            await Promise.race([driver.quiet(until, isTheirs ? id : undefined), isOver])
          },
          keepHouse,
        })
      } finally {
        await Promise.race([sleep(), isOver])
        disarm()
      }
    },
  }
}
