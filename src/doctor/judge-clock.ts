import type { Finding } from '../providers/contract.ts'
import { ok, warning } from './finding.ts'

/** Signatures over requests and webhooks are refused from five minutes on; this is well before. */
const farOffMs = 60_000

/** A `fetch` that compares the `Date` header of every answer with the moment at which it was asked for. */
export interface ClockWatch {
  readonly fetch: typeof globalThis.fetch
  /** Theirs less ours, in milliseconds, by origin; as of the latest answer. */
  readonly offBy: ReadonlyMap<string, number>
}

export function watchClocks(fetch: typeof globalThis.fetch, now: () => number): ClockWatch {
  const offBy = new Map<string, number>()
  return {
    offBy,
    async fetch(input, init) {
      const askedAt = now()
      const response = await fetch(input, init)
      const theirs = Date.parse(response.headers.get('date') ?? '')
      const url = input instanceof Request ? input.url : String(input)
      // The header has whole seconds only.
      if (!Number.isNaN(theirs)) offBy.set(new URL(url).origin, theirs + 500 - (askedAt + now()) / 2)
      return response
    },
  }
}

/** What the providers' clocks say of ours; nothing where none of them told. */
export function judgeClock(offBy: ReadonlyMap<string, number>): Finding[] {
  const far = [...offBy].filter(([, ms]) => Math.abs(ms) > farOffMs)
  if (offBy.size === 0) return []
  if (far.length === 0) return [ok('clock', `This machine's clock agrees with ${[...offBy.keys()].join(', ')}.`)]
  return far.map(([origin, ms]) =>
    warning(
      'clock',
      `The clock of ${origin} is ${Math.round(Math.abs(ms) / 1000)} s ${ms > 0 ? 'ahead of' : 'behind'} this machine's: signatures of requests and webhooks will be refused.`,
      "Set this machine's clock by NTP.",
    ),
  )
}
