import type { Attempt, PredictionRecord } from './prediction.ts'

/** Progress is written at most this often. */
export const progressEveryMs = 1_000

/** Poll and find schedules live in memory: whoever takes the record over simply asks at once. */
const schedule = new Set<keyof Attempt>(['nextPollAt', 'pollFailures', 'nextFindAt'])
/** What merely progresses is worth a write, but not more than one a second. */
const gradual = new Set<keyof Attempt>(['progress', 'changedAt', 'word', 'logLength', 'cost'])

/**
 * When a changed record must be written: `now` for anything that matters, `later` for mere progress, `never` for an
 * observation that changed nothing.
 */
export function worthWriting(stored: PredictionRecord, current: PredictionRecord): 'now' | 'later' | 'never' {
  const fields = changes(stored, current).filter(field => field !== 'attempts')
  if (fields.some(field => field !== 'progress')) return 'now'
  if (stored.attempts.length !== current.attempts.length) return 'now'
  const ofAttempts = current.attempts.flatMap((attempt, index) => changes(stored.attempts[index], attempt))
  const lasting = ofAttempts.filter(field => !schedule.has(field))
  if (lasting.some(field => !gradual.has(field))) return 'now'
  return lasting.length > 0 || fields.length > 0 ? 'later' : 'never'
}

/** The fields that differ. Most of what `step` leaves alone is the same object, which costs nothing to see. */
function changes<T extends object>(before: T | undefined, after: T): (keyof T)[] {
  const fields = Object.keys(after) as (keyof T)[]
  return fields.filter(field => !isSame(lastingPart(field, before?.[field]), lastingPart(field, after[field])))
}

function lastingPart(field: PropertyKey, value: unknown): unknown {
  if (field !== 'pending') return value
  return (value as Attempt['pending'] | undefined)?.filter(({ kind }) => kind !== 'poll' && kind !== 'find')
}

/** Whether both are the same as JSON. */
function isSame(before: unknown, after: unknown): boolean {
  if (before === after) return true
  if (!Array.isArray(before) || !Array.isArray(after)) return JSON.stringify(before) === JSON.stringify(after)
  return before.length === after.length && before.every((entry, index) => isSame(entry, after[index]))
}
