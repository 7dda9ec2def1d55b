/** Lets one at a time into each named place, in the order in which they came. */
export interface Turns {
  take<T>(place: string, use: () => Promise<T>): Promise<T>
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>()
  return {
    async take(place, use) {
      const before = last.get(place) ?? Promise.resolve()
      const mine = before.then(use, use)
      const settled = mine.catch(() => {})
      last.set(place, settled)
      try {
        return await mine
      } finally {
        if (last.get(place) === settled) last.delete(place)
      }
    },
  }
}
