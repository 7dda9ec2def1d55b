/** Each key may do so many things in a minute, all of them at once if it was quiet before: a token bucket. */
export interface Rates {
  /** Takes one; answers 0, or the milliseconds until there is one again. */
  take(key: string, perMinute: number, now: number): number
}

/** So many buckets are kept before those that are full again are looked for. */
const most = 10_000

/** Buckets of this process, one for each key that was limited. Each is one number: when it will be full again. */
export function createRates(): Rates {
  const fullAt = new Map<string, number>()

  /** Whoever was quiet for a minute starts with a full bucket anyway. */
  function forgetFull(now: number): void {
    for (const [key, at] of fullAt) if (at <= now) fullAt.delete(key)
  }

  return {
    take(key, perMinute, now) {
      const oneMs = 60_000 / perMinute
      const full = Math.max(now, fullAt.get(key) ?? now)
      const waitMs = Math.ceil(full - now - (perMinute - 1) * oneMs)
      if (waitMs > 0) return waitMs
      if (fullAt.size >= most) forgetFull(now)
      fullAt.set(key, full + oneMs)
      return 0
    },
  }
}
