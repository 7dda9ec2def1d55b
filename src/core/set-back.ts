import type { Draft } from './draft.ts'

/** Clocks of several machines may differ by this much without anybody having set one back. */
const toleranceMs = 10_000

/**
 * When the clock was set back, what was to be done in two seconds would wait for as much longer, an hour for an hour, and
 * nobody would look at what runs: so what was to be done next is done now. A record that has seen later moments than this
 * one tells. Deadlines and the other timers stay what they are: they go by the clock that people see.
 */
export function takeSetBack(draft: Draft, now: number): void {
  const decidedAt = draft.decisions.at(-1)?.at ?? draft.createdAt
  const latest = Math.max(decidedAt, ...draft.attempts.map(({ changedAt }) => changedAt))
  if (latest <= now + toleranceMs) return
  for (const attempt of draft.attempts) {
    attempt.nextPollAt = sooner(attempt.nextPollAt, now)
    attempt.nextFindAt = sooner(attempt.nextFindAt, now)
    attempt.nextCancelAt = sooner(attempt.nextCancelAt, now)
    attempt.nextCollectAt = sooner(attempt.nextCollectAt, now)
  }
  draft.retryAt = sooner(draft.retryAt, now)
}

function sooner(at: number | null, now: number): number | null {
  return at === null ? null : Math.min(at, now)
}
