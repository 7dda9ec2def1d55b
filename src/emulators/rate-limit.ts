import type { Clock } from '../core/clock.ts'

/** How many requests an allowance still holds. */
export interface Bucket {
  /** Takes one request, or says how many seconds until there is room again. */
  take(): { readonly ok: boolean; readonly remaining: number; readonly resetSeconds: number }
}

/** A bucket that refills evenly; `size` is the burst that the vendor tolerates, by default a tenth of a minute's worth. */
export function createBucket(clock: Clock, perMinute: number, size: number = Math.max(1, perMinute / 10)): Bucket {
  let level = size
  let at = clock.now()
  return {
    take() {
      const now = clock.now()
      level = Math.min(size, level + ((now - at) / 60_000) * perMinute)
      at = now
      const ok = level >= 1
      if (ok) level -= 1
      return {
        ok,
        remaining: Math.floor(level),
        resetSeconds: Math.max(1, Math.ceil(((1 - level) / perMinute) * 60)),
      }
    },
  }
}
