import { seconds } from './draft.ts'
import type { FailureCode } from './failure.ts'
import { isEnded } from './prediction.ts'
import { type AttemptFact, speaksFor } from './statistics.ts'

/**
 * Whether a deployment may be used, derived from the attempts that the store remembers, so that all processes agree.
 *
 *   closed ── `failuresToOpen` failures in a row ──> open ── pause over ──> half-open ── probe won ──> closed
 *                                                      └──────────── probe failed ───────────────────────┘
 *
 * A rate limit is no fault of the deployment and has its own pause (Retry-After, backoff): it does not count. Nor does a
 * warm-up, either way: by winning with a tiny photo it would hide that users' photos fail, by failing it would shut out users
 * whom nothing has failed yet. Of the account it says as much as anything.
 * An account-level failure (credentials, payment, lock) opens every deployment of its provider at once. Each failure
 * more doubles the pause. Half-open, one attempt at a time is let through as a probe.
 */
export type Breaker =
  | { readonly state: 'closed' }
  | { readonly state: 'open'; readonly until: number; readonly why: string }
  | { readonly state: 'half-open'; readonly why: string }

const failuresToOpen = 3
const firstPauseMs = 30_000
const longestPauseMs = 10 * 60_000
const accountPauseMs = 5 * 60_000
const longestAccountPauseMs = 60 * 60_000

const accountCodes: ReadonlySet<FailureCode> = new Set(['auth_rejected', 'payment_required', 'account_locked'])

/** Whether a failure concerns the account, whichever of the provider's deployments met it. */
export function isAccountFault(code: FailureCode): boolean {
  return accountCodes.has(code)
}

/** `facts` are the recent attempts of one deployment; `ofAccount` those of all deployments of its provider, these included. */
export function breakerOf(facts: readonly AttemptFact[], ofAccount: readonly AttemptFact[], now: number): Breaker {
  const account = streakOf(ofAccount.filter(speaksAboutAccount))
  if (account.failures > 0) {
    const pause = Math.min(longestAccountPauseMs, accountPauseMs * 2 ** (account.failures - 1))
    return since(account.lastAt, pause, ofAccount, now, `The provider refused the account (${account.lastCode})`)
  }
  const own = streakOf(facts.filter(fact => speaksFor(fact) && fact.failure !== 'rate_limited' && fact.warm !== true))
  if (own.failures < failuresToOpen) return { state: 'closed' }
  const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (own.failures - failuresToOpen))
  return since(own.lastAt, pause, facts, now, `${own.failures} attempts in a row failed, the last with ${own.lastCode}`)
}

/** A win proves that the account works; only its own failures speak against it. */
function speaksAboutAccount({ state, failure }: AttemptFact): boolean {
  return state === 'won' || (failure !== null && accountCodes.has(failure))
}

/** Failures since the last win. Worked out at every reading, so nothing is sorted. */
function streakOf(facts: readonly AttemptFact[]): { failures: number; lastAt: number; lastCode: FailureCode | null } {
  const lastWinAt = facts.reduce((at, { state, endedAt }) => (state === 'won' ? Math.max(at, endedAt ?? 0) : at), 0)
  let [failures, lastAt, lastCode]: [number, number, FailureCode | null] = [0, 0, null]
  for (const { state, endedAt, failure } of facts) {
    if (endedAt === null || state === 'won' || endedAt <= lastWinAt) continue
    failures += 1
    if (endedAt > lastAt) [lastAt, lastCode] = [endedAt, failure]
  }
  return { failures, lastAt, lastCode }
}

function since(lastAt: number, pauseMs: number, facts: readonly AttemptFact[], now: number, why: string): Breaker {
  const until = lastAt + pauseMs
  const said = `${why}; paused for ${seconds(pauseMs)}.`
  if (now < until) return { state: 'open', until, why: said }
  const probing = facts.some(({ state, plannedAt }) => !isEnded(state) && plannedAt >= until)
  return probing
    ? { state: 'open', until: now + firstPauseMs, why: `${why}; a probe is under way.` }
    : { state: 'half-open', why: said }
}
