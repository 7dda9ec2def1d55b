/** Each key may do so many things in a minute, all of them at once if it was quiet before: a token bucket. */
export interface Rates {
  /** Takes one; answers 0, or the milliseconds until there is one again. */
  take(key: string, perMinute: number, now: number): number
}

/** Buckets of this process, one for each key that was ever limited. Each is one number: when it will be full again. */
export function createRates(): Rates {
  const fullAt = new Map<string, number>()
  return {
    take(key, perMinute, now) {
      const oneMs = 60_000 / perMinute
      const full = Math.max(now, fullAt.get(key) ?? now)
      const waitMs = Math.ceil(full - now - (perMinute - 1) * oneMs)
      if (waitMs > 0) return waitMs
      fullAt.set(key, full + oneMs)
      return 0
    },
  }
}
