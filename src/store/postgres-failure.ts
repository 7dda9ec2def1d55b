import { createFailure, type Failure, SurefootError } from '../core/failure.ts'

/** SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const diskFull = '53100'
const untranslatableCharacter = '22021'
/** Serialization failure, deadlock, and a key that two transactions inserted at once. */
const undone = ['40001', '40P01', '23505']
/** Classes: the connection broke, too little of something, an operator or crash shut it down, waited too long. */
const unavailable = /^(08|53|57|55P03|25P0[34])/
/** The server answers but does not let us in, or has not what the URL names. */
const misconfigured = /^(28|3D|3F|42501)/
const retryAfterMs = 1_000

/**
 * What went wrong, as a `SurefootError`: status 503 where the database is away or busy and the same call may succeed
 * later, 507 where its disk is full. An error of the server that is a bug of ours comes back as it was.
 */
export function namePostgresError(error: unknown): unknown {
  if (SurefootError.is(error)) return error
  const state = sqlState(error)
  const words = error instanceof Error && error.message !== '' ? error.message : `${sqlState(error) ?? error}`
  if (state === diskFull) return named('storage_full', 'The database cannot grow: its disk is full.', 507)
  if (state === untranslatableCharacter)
    return named('input_invalid', 'A text holds the character NUL, which the database cannot keep.', 422)
  if (state !== null && misconfigured.test(state))
    return named('internal', `PostgreSQL refuses: ${words}.`, 503, {
      fault: 'config',
      advice: 'Correct the database URL, or give its user the rights that it needs.',
    })
  // The driver gives errors of its own and of sockets without a SQLSTATE.
  if (state === null || unavailable.test(state))
    return named('internal', `PostgreSQL is not available: ${words}.`, 503, {
      fault: 'config',
      advice: 'Look whether the database runs and can be reached; Surefoot goes on by itself when it is back.',
      retryAfterMs,
    })
  return error

  function named(
    code: Failure['code'],
    message: string,
    status: number,
    more: Parameters<typeof createFailure>[2] = {},
  ): SurefootError {
    return new SurefootError(createFailure(code, message.replace(/\.+$/, '.'), more), { cause: error, status })
  }
}

/** Whether the server has undone the transaction because of what others did, so that it can be repeated as it is. */
export function isUndone(error: unknown): boolean {
  return undone.includes(sqlState(error) ?? '')
}

function sqlState(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null
  return /^[0-9A-Z]{5}$/.test(String(error.code)) && 'severity' in error ? String(error.code) : null
}
