import type { FailureCode } from './failure.ts'
import { type AttemptState, isEnded } from './prediction.ts'

/** What the store remembers of an attempt, for statistics and the breaker: times in milliseconds since 1970. */
export interface AttemptFact {
  readonly deployment: string
  readonly state: AttemptState
  /** Why it ended, or was given notice. */
  readonly failure: FailureCode | null
  readonly plannedAt: number
  readonly submittedAt: number | null
  readonly bootingAt: number | null
  readonly runningAt: number | null
  readonly collectingAt: number | null
  /** When it ended, or was given notice. */
  readonly endedAt: number | null
  readonly restarts: number
  /** Until when the provider asked us to stay away; null where it did not. */
  readonly closedUntil: number | null
  /** USD, where it is known. */
  readonly cost: number | null
  /** It only warmed the deployment: nobody asked for its result. Default: somebody did. */
  readonly warm?: boolean
}

/** 50th, 95th and 99th percentile in milliseconds, and of how many values. */
export interface Spread {
  readonly samples: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** What real traffic says about one deployment. */
export interface Measured {
  /** Attempts that say something about the deployment: won, or failed by its fault. */
  readonly samples: number
  readonly won: number
  /** Share that won, 0 to 1, with its 95 % Wilson interval. */
  readonly success: { readonly rate: number; readonly low: number; readonly high: number } | null
  /** From the start that was sent to the verified output, of attempts that won. */
  readonly total: Spread | null
  readonly queue: Spread | null
  readonly boot: Spread | null
  readonly run: Spread | null
  readonly collect: Spread | null
  /** USD of all attempts, failed, cancelled, losing and warming ones included, per attempt that won somebody's result. */
  readonly costPerSuccess: number | null
  /** Attempts that were sent and have ended, and whose cost nobody knows: `costPerSuccess` is too low by theirs. */
  readonly unpriced: number
  readonly stalls: number
  readonly restarts: number
}

/** So many attempts make figures worth deciding by. */
export const enoughSamples = 8

/** Failures that say nothing about the deployment: the user's, our own, and policy's. */
const blameless: ReadonlySet<FailureCode> = new Set([
  'input_invalid',
  'input_too_large',
  'deadline_exceeded',
  'budget_exceeded',
  'no_route_for_bytes',
  'storage_full',
  'internal',
])

/**
 * Whether an attempt counts for or against its deployment: by its end, or by the failure for which it was given notice.
 * Superseded and cancelled ones count for neither.
 */
export function speaksFor({ state, failure }: Pick<AttemptFact, 'state' | 'failure'>): boolean {
  if (state === 'won') return true
  return state !== 'superseded' && state !== 'canceled' && failure !== null && !blameless.has(failure)
}

/**
 * Figures of one deployment from the attempts that the store remembers of it. Warm-ups count as money and as nothing else:
 * their small photo and their cold starts say little about what users wait for.
 */
export function measure(facts: readonly AttemptFact[]): Measured {
  const asked = facts.filter(({ warm }) => warm !== true)
  const telling = asked.filter(speaksFor)
  const won = telling.filter(({ state }) => state === 'won')
  const spent = facts.reduce((sum, { state, cost }) => sum + (isEnded(state) ? (cost ?? 0) : 0), 0)
  return {
    samples: telling.length,
    won: won.length,
    success: telling.length === 0 ? null : { rate: won.length / telling.length, ...wilson(won.length, telling.length) },
    total: spread(won.map(fact => between(fact.submittedAt, fact.endedAt))),
    queue: spread(won.map(fact => between(fact.submittedAt, fact.bootingAt ?? fact.runningAt))),
    boot: spread(won.map(fact => between(fact.bootingAt, fact.runningAt))),
    run: spread(won.map(fact => between(fact.runningAt, fact.collectingAt))),
    collect: spread(won.map(fact => between(fact.collectingAt, fact.endedAt))),
    costPerSuccess: won.length === 0 || facts.every(({ cost }) => cost === null) ? null : spent / won.length,
    unpriced: facts.filter(({ state, submittedAt, cost }) => isEnded(state) && submittedAt !== null && cost === null)
      .length,
    stalls: asked.filter(({ failure }) => failure === 'stalled').length,
    restarts: asked.reduce((sum, { restarts }) => sum + restarts, 0),
  }
}

/**
 * 95 % interval of a share by Wilson's score: honest for few samples and near 0 and 1, where the usual one is not.
 * Wilson, J. Am. Stat. Assoc. 22 (1927).
 */
export function wilson(successes: number, samples: number): { readonly low: number; readonly high: number } {
  if (samples === 0) return { low: 0, high: 1 }
  const z = 1.959964
  const share = successes / samples
  const centre = share + z ** 2 / (2 * samples)
  const half = z * Math.sqrt((share * (1 - share)) / samples + z ** 2 / (4 * samples ** 2))
  const scale = 1 + z ** 2 / samples
  return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) }
}

/** The value below which a share of the values lies (nearest rank); `values` must not be empty. */
export function quantile(values: readonly number[], share: number): number {
  return rankOf(Float64Array.from(values).sort(), share)
}

function rankOf(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN
}

function spread(values: readonly (number | null)[]): Spread | null {
  // A typed array sorts by number without a comparison of ours: every process does this every two seconds.
  const sorted = Float64Array.from(values.filter(value => value !== null)).sort()
  if (sorted.length === 0) return null
  return { samples: sorted.length, p50: rankOf(sorted, 0.5), p95: rankOf(sorted, 0.95), p99: rankOf(sorted, 0.99) }
}

function between(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from)
}
