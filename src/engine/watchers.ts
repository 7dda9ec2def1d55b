import type { Clock } from '../core/clock.ts'
import type { StoredPrediction } from '../store/contract.ts'

/**
 * Wakes whoever watches a prediction, and lets all who watch the same one share what one look at it finds: ten thousand
 * event streams cost one query for each change, not ten thousand.
 */
export interface Watchers {
  changed(id: string): void
  /** Calls `wake` at each change, and where hints may be lost once a second, until `stop`. */
  follow(id: string, wake: () => void): Following
}

/** One watcher's hold on a prediction. */
export interface Following {
  /** The prediction as it is since the last change; null where there is none. Asked once for all watchers. */
  look(): Promise<StoredPrediction | null>
  stop(): void
}

export interface WatchersOptions {
  readonly look: (id: string) => Promise<StoredPrediction | null>
  readonly clock: Clock
  /** How often watchers look without a hint; null where none is ever lost. */
  readonly lookAgainMs: number | null
}

/** What the watchers of one prediction share. */
interface Group {
  readonly wakes: Set<() => void>
  /** Begun after the last change, so as new as any look that would begin now. */
  looked: Promise<StoredPrediction | null> | null
  stopTimer(): void
}

export function createWatchers({ look, clock, lookAgainMs }: WatchersOptions): Watchers {
  const groups = new Map<string, Group>()

  function changed(id: string): void {
    const group = groups.get(id)
    if (group === undefined) return
    group.looked = null
    for (const wake of group.wakes) wake()
  }

  function groupOf(id: string): Group {
    const known = groups.get(id)
    if (known !== undefined) return known
    const group: Group = { wakes: new Set(), looked: null, stopTimer: () => {} }
    groups.set(id, group)
    lookAgain(id, group)
    return group
  }

  function lookAgain(id: string, group: Group): void {
    if (lookAgainMs === null) return
    group.stopTimer = clock.after(lookAgainMs, () => {
      lookAgain(id, group)
      changed(id)
    })
  }

  return {
    changed,
    follow(id, wake) {
      const group = groupOf(id)
      group.wakes.add(wake)
      // What others found may be a lost hint old, and whoever comes now may know better.
      let isFirst = true
      return {
        look() {
          if (isFirst) group.looked = null
          isFirst = false
          group.looked ??= look(id)
          return group.looked
        },
        stop() {
          group.wakes.delete(wake)
          if (group.wakes.size > 0) return
          group.stopTimer()
          groups.delete(id)
        },
      }
    },
  }
}
