import type { Log } from './contract.ts'

/** Whether the store does its work: said once when it fails, and once when it is over. */
export interface Outage {
  /** A call has failed. */
  failed(error: unknown): void
  /** A call has succeeded. */
  worked(): void
  /** Since when it lasts, milliseconds since 1970; null where there is none. */
  since(): number | null
}

/**
 * So long nothing must have failed before it is over: what fails is tried again twice a second, and on a full disk reading
 * goes on meanwhile.
 */
const quietMs = 5_000
/** So many kinds of failure are said in one outage. */
const mostSaid = 10

/** `now` is any clock in milliseconds. */
export function createOutage(log: Log, now: () => number): Outage {
  let began: number | null = null
  let lastAt = 0
  let failures = 0
  const said = new Set<string>()
  return {
    failed(error) {
      const words = String(error)
      lastAt = now()
      began ??= lastAt
      failures += 1
      if (said.has(words) || said.size === mostSaid) return
      said.add(words)
      log('error', 'The store failed; what it did not take is tried again.', { error: words })
    },
    worked() {
      if (began === null || now() - lastAt < quietMs) return
      log('info', 'The store works again.', { failures, ms: now() - began })
      began = null
      failures = 0
      said.clear()
    },
    since: () => began,
  }
}
