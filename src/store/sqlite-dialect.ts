import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { type Dialect, SqliteDialect, type SqliteStatement } from 'kysely'
import { refuse } from '../core/failure.ts'

/** Most statements kept prepared; the store's own queries need about thirty. */
const cachedStatements = 200
/** SQLite's primary result code for "no space left": https://sqlite.org/rescode.html#full */
const sqliteFull = 13
/** A page, or the whole file, is not what SQLite wrote: https://sqlite.org/rescode.html#corrupt and #notadb */
const sqliteDamaged: readonly number[] = [11, 26]

/**
 * Kysely on `node:sqlite`: its SQLite dialect was made for another driver, and this is the small shape that it wants.
 * Statements are prepared once per text and kept, least recently used last. A full disk fails with `storage_full`, a damaged database with `internal`.
 * The dialect owns the database from here on: destroying it closes the database.
 */
export function createSqliteDialect(database: DatabaseSync): Dialect {
  const cache = new Map<string, SqliteStatement>()

  function prepare(sql: string): SqliteStatement {
    const known = cache.get(sql)
    if (known !== undefined) {
      cache.delete(sql)
      cache.set(sql, known)
      return known
    }
    const statement = createStatement(database, sql)
    cache.set(sql, statement)
    for (const oldest of cache.keys()) {
      if (cache.size <= cachedStatements) break
      cache.delete(oldest)
    }
    return statement
  }

  return new SqliteDialect({ database: { prepare, close: () => database.close() } })
}

function createStatement(database: DatabaseSync, sql: string): SqliteStatement {
  const statement = namedFault(() => database.prepare(sql))
  return {
    reader: statement.columns().length > 0,
    all: parameters => namedFault(() => statement.all(...toValues(parameters))),
    iterate: parameters => namedFault(() => statement.iterate(...toValues(parameters))),
    run(parameters) {
      // On a full disk SQLite has rolled back by itself; a second rollback would hide the first error behind its own.
      if (sql === 'rollback' && !database.isTransaction) return { changes: 0, lastInsertRowid: 0 }
      return namedFault(() => statement.run(...toValues(parameters)))
    },
  }
}

function toValues(parameters: readonly unknown[]): SQLInputValue[] {
  return parameters as SQLInputValue[]
}

/** Runs a call on SQLite; faults that people can do something about come out named. */
export function namedFault<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0
    // The low byte is the primary code; extended codes carry more above it.
    if ((code & 0xff) === sqliteFull)
      refuse('storage_full', 'The database cannot grow: the disk is full.', { status: 507, cause: error })
    if (sqliteDamaged.includes(code & 0xff))
      refuse('internal', 'The database of the data folder is damaged.', {
        advice: 'Restore the data folder from a copy, or begin with another one.',
        cause: error,
      })
    throw error
  }
}
