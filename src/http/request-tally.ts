import { type Counter, createCounter, createHistogram, type Histogram } from '../core/tally.ts'

/** What this process has answered since it began. */
export interface RequestTally {
  readonly requests: Counter<'method' | 'route' | 'status'>
  /** Seconds until the answer began; what is streamed after that is not in it. */
  readonly seconds: Histogram<'method' | 'route'>
  /** One more answer, by the pattern of its route. */
  add(request: { readonly method: string; readonly route: string; readonly status: number; readonly ms: number }): void
}

/** Answers may be held for 60 s. */
const seconds: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Callers may send any word as a method, and each would be a series of its own. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export function createRequestTally(): RequestTally {
  const requests = createCounter(['method', 'route', 'status'])
  const spread = createHistogram(['method', 'route'], seconds)
  return {
    requests,
    seconds: spread,
    add({ method: sent, route, status, ms }) {
      const method = methods.has(sent) ? sent : 'other'
      requests.add({ method, route, status: String(status) })
      spread.observe({ method, route }, ms / 1_000)
    },
  }
}
