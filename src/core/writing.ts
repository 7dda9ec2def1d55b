import type { Attempt, PredictionRecord } from './prediction.ts'

/** Progress is written at most this often. */
export const progressEveryMs = 1_000

/**
 * When a changed record must be written: `now` for anything that matters, `later` for mere progress, `never` for an
 * observation that changed nothing.
 */
export function worthWriting(stored: PredictionRecord, current: PredictionRecord): 'now' | 'later' | 'never' {
  if (essence(stored) !== essence(current)) return 'now'
  return lasting(stored) === lasting(current) ? 'never' : 'later'
}

/** Everything but the schedules of polls and finds: those live in memory, and whoever takes over simply asks at once. */
function lasting(record: PredictionRecord): string {
  return JSON.stringify({ ...record, attempts: record.attempts.map(withoutSchedule) })
}

/** What is also worth a write before the second is over: all that is lasting, but what merely progresses. */
function essence(record: PredictionRecord): string {
  const attempts = record.attempts.map(attempt => {
    const { progress, changedAt, word, logLength, cost, ...rest } = withoutSchedule(attempt)
    return rest
  })
  return JSON.stringify({ ...record, progress: null, attempts })
}

function withoutSchedule(attempt: Attempt): Partial<Attempt> {
  const { nextPollAt, pollFailures, nextFindAt, ...rest } = attempt
  return { ...rest, pending: attempt.pending.filter(({ kind }) => kind !== 'poll' && kind !== 'find') }
}
