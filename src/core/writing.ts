import type { PredictionRecord } from './prediction.ts'

/** Progress is written at most this often. */
export const progressEveryMs = 1_000

/** Poll schedules live in memory: whoever takes the record over simply polls at once. */
const volatile = new Set(['nextPollAt', 'pollFailures', 'nextFindAt'])
/** Changes that are worth a write, but not more than one a second. */
const gradual = new Set(['progress', 'changedAt', 'word', 'logLength', 'cost'])

/**
 * When a changed record must be written: `now` for anything that matters, `later` for mere progress, `never` for an
 * observation that changed nothing.
 */
export function worthWriting(stored: PredictionRecord, current: PredictionRecord): 'now' | 'later' | 'never' {
  if (project(stored, true) !== project(current, true)) return 'now'
  return project(stored, false) === project(current, false) ? 'never' : 'later'
}

function project(record: PredictionRecord, withoutGradual: boolean): string {
  return JSON.stringify(record, (key, value: unknown) => {
    if (volatile.has(key) || (withoutGradual && gradual.has(key))) return undefined
    if (key === 'pending')
      return (value as PredictionRecord['attempts'][number]['pending']).filter(
        entry => entry.kind !== 'poll' && entry.kind !== 'find',
      )
    return value
  })
}
