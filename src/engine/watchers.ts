/** Wakes whoever watches a prediction. Hints only: a watcher reads the record itself. */
export interface Watchers {
  changed(id: string): void
  /** Resolves at the next change, when `afterMs` have passed, or when the signal ends. */
  next(id: string, signal: AbortSignal): Promise<void>
}

export function createWatchers(): Watchers {
  const waiting = new Map<string, Set<() => void>>()
  return {
    changed(id) {
      for (const wake of waiting.get(id) ?? []) wake()
    },
    next(id, signal) {
      return new Promise(resolve => {
        const waiters = waiting.get(id) ?? new Set()
        waiting.set(id, waiters)
        const wake = () => {
          waiters.delete(wake)
          if (waiters.size === 0 && waiting.get(id) === waiters) waiting.delete(id)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        waiters.add(wake)
        signal.addEventListener('abort', wake, { once: true })
        if (signal.aborted) wake()
      })
    },
  }
}
