import type { Clock } from '../core/clock.ts'

/** A clock that stands still until it is told to move: tests assert "not yet" just before and "done" just after. */
export interface SimulatedClock extends Clock {
  /** Moves time forward, running due timers in order; promises settle between timers. */
  advance(ms: number): Promise<void>
  /** When the next timer is due, or null when none waits. */
  nextTimer(): number | null
  /** How many timers wait; a test that ends with some has a leak. */
  readonly waiting: number
}

/**
 * `start` is the first `now()`, in milliseconds since 1970. `rounds` is how long promises get between two timers, see
 * `settle`: one is enough, and faster, where nothing waits for an immediate or for the system.
 */
export function createSimulatedClock(start: number = Date.UTC(2026, 0, 1), rounds: number = 3): SimulatedClock {
  let now = start
  let order = 0
  const timers = new Map<number, { readonly at: number; readonly run: () => void }>()

  function next(): [number, { readonly at: number; readonly run: () => void }] | undefined {
    let best: [number, { readonly at: number; readonly run: () => void }] | undefined
    for (const entry of timers) if (best === undefined || entry[1].at < best[1].at) best = entry
    return best
  }

  return {
    now: () => now,
    after(delayMs, run) {
      const id = order++
      timers.set(id, { at: now + Math.max(0, delayMs), run })
      return () => void timers.delete(id)
    },
    async advance(ms) {
      const end = now + ms
      await settle(rounds)
      for (let due = next(); due !== undefined && due[1].at <= end; due = next()) {
        timers.delete(due[0])
        now = Math.max(now, due[1].at)
        due[1].run()
        await settle(rounds)
      }
      now = end
      await settle(rounds)
    },
    nextTimer: () => next()?.[1].at ?? null,
    get waiting() {
      return timers.size
    },
  }
}

/** Lets everything run that only waits for promises or for an immediate of Node's; each round ends with an immediate. */
export async function settle(rounds: number = 3): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise<void>(resolve => setImmediate(resolve))
}
