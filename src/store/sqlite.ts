import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { invariant } from '../core/failure.ts'
import type { Store } from './contract.ts'
import type { StoreDialect } from './dialect.ts'
import { migrate } from './migrate.ts'
import { dueAtOnce } from './predictions.ts'
import type { Schema } from './schema.ts'
import { createSqliteDialect, namedFault } from './sqlite-dialect.ts'
import { createSqlStore } from './store.ts'

export interface SqliteStoreOptions {
  /** Path of the database file; its folder is made when missing. `:memory:` keeps everything in this process. */
  readonly path: string
  /** The store's clock. Default: this machine's. */
  readonly now?: () => number
}

export interface SqliteStore extends Store {
  /**
   * Frees every record from its lease and makes it due at once. For a process that has just become the owner of the data folder: whoever held
   * those leases is dead, and waiting for them to lapse would only delay the pickup.
   */
  voidLeases(): Promise<void>
}

/**
 * Opens the embedded store and brings its schema up to date. What `commit` answered survives a crash of the process
 * and of the machine (WAL with `synchronous=FULL`). One connection, statements one after the other; one process at a
 * time, which `lockFolder` sees to. Fails with `input_invalid` when a newer release wrote the database, with `internal`
 * when it is damaged.
 */
export async function openSqliteStore({ path, now = Date.now }: SqliteStoreOptions): Promise<SqliteStore> {
  // Readable by its user only: it holds secrets, and the inputs of predictions.
  if (path !== ':memory:') makePrivately(path)
  const database = new DatabaseSync(path)
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(database) })
  try {
    // First the wait, then WAL: changing the journal takes a lock that a dying owner may still hold.
    namedFault(() =>
      database.exec(
        'pragma busy_timeout = 5000; pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on',
      ),
    )
    const journal = database.prepare('pragma journal_mode').get()?.journal_mode
    invariant(journal === (path === ':memory:' ? 'memory' : 'wal'), `SQLite answered journal mode ${journal}`)
    await migrate(db)
  } catch (error) {
    database.close()
    throw error
  }
  return {
    ...createSqlStore({ db, dialect: createSqliteDifferences(now) }),
    async voidLeases() {
      await db
        .updateTable('predictions')
        .set(({ ref }) => ({ lease_engine: null, lease_until: null, next_at: dueAtOnce(ref('next_at'), now()) }))
        .where('lease_engine', 'is not', null)
        .execute()
    },
  }
}

/** Also where somebody else made the folder for us. SQLite gives its journals the permissions of the database. */
function makePrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
}

/** One process, one connection, one transaction at a time: nobody to keep out, to wait for or to tell. */
export function createSqliteDifferences(now: () => number): StoreDialect {
  return {
    now,
    skipLocked: (_, query) => query,
    lockInOrder: (_, condition) => condition,
    enterRound: async () => {},
    leaveRound: async () => {},
    enterOwner: async () => {},
    mayRepeat: () => false,
    listen: () => async () => {},
  }
}
