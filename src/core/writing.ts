import type { Attempt, PredictionRecord } from './prediction.ts'

/** Progress is written at most this often. */
export const progressEveryMs = 1_000

/** Poll and find schedules live in memory: whoever takes the record over simply asks at once. */
const schedule = new Set<keyof Attempt>(['nextPollAt', 'pollFailures', 'nextFindAt', 'searchedAt'])
/** What merely progresses is worth a write, but not more than one a second. */
const gradual = new Set<keyof Attempt>(['progress', 'changedAt', 'word', 'logLength', 'cost'])

/**
 * When a changed record must be written: `now` for anything that matters, `later` for mere progress, `never` for an
 * observation that changed nothing. Asked after every step, so it looks no further than the first field that decides.
 */
export function worthWriting(stored: PredictionRecord, current: PredictionRecord): 'now' | 'later' | 'never' {
  if (stored.attempts.length !== current.attempts.length) return 'now'
  let worth: 'later' | 'never' = 'never'
  for (const field of Object.keys(current) as (keyof PredictionRecord)[]) {
    if (field === 'attempts' || isSame(stored[field], current[field])) continue
    if (field !== 'progress') return 'now'
    worth = 'later'
  }
  for (const [index, attempt] of current.attempts.entries()) {
    const before = stored.attempts[index]
    for (const field of Object.keys(attempt) as (keyof Attempt)[]) {
      if (schedule.has(field) || isSameOfAttempt(field, before?.[field], attempt[field])) continue
      if (!gradual.has(field)) return 'now'
      worth = 'later'
    }
  }
  return worth
}

function isSameOfAttempt(field: keyof Attempt, before: unknown, after: unknown): boolean {
  if (before === after) return true
  return field === 'pending' ? isSame(lasting(before), lasting(after)) : isSame(before, after)
}

/** Polls and searches that are under way are not worth a write: whoever takes the record over asks again. */
function lasting(pending: unknown): Attempt['pending'] | undefined {
  return (pending as Attempt['pending'] | undefined)?.filter(({ kind }) => kind !== 'poll' && kind !== 'find')
}

/** Whether both are the same as JSON. */
function isSame(before: unknown, after: unknown): boolean {
  if (before === after) return true
  if (!Array.isArray(before) || !Array.isArray(after)) return JSON.stringify(before) === JSON.stringify(after)
  return before.length === after.length && before.every((entry, index) => isSame(entry, after[index]))
}
