/** Wakes whoever watches a prediction. Hints only: a watcher reads the record itself. */
export interface Watchers {
  changed(id: string): void
  /** Calls `wake` at each change until the returned function is called. */
  subscribe(id: string, wake: () => void): () => void
}

export function createWatchers(): Watchers {
  const waiting = new Map<string, Set<() => void>>()
  return {
    changed(id) {
      for (const wake of waiting.get(id) ?? []) wake()
    },
    subscribe(id, wake) {
      const waiters = waiting.get(id) ?? new Set()
      waiting.set(id, waiters.add(wake))
      return () => {
        waiters.delete(wake)
        if (waiters.size === 0 && waiting.get(id) === waiters) waiting.delete(id)
      }
    },
  }
}
