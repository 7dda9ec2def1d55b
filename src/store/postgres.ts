import { randomUUID } from 'node:crypto'
import { Kysely, sql } from 'kysely'
import { createFailure, SurefootError } from '../core/failure.ts'
import type { Change, Store } from './contract.ts'
import type { Moment, StoreDialect } from './dialect.ts'
import { migrate } from './migrate.ts'
import {
  connectPostgres,
  createPostgresDialect,
  loadPostgresDriver,
  type PostgresConnectionOptions,
} from './postgres-driver.ts'
import { isUndone } from './postgres-failure.ts'
import { createListener, toPayloads } from './postgres-listener.ts'
import type { Database, Schema } from './schema.ts'
import { createSqlStore } from './store.ts'

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database`, straight to the server: a pooler that shares sessions loses `LISTEN`. */
  readonly url: string
  /** Where the tables are; made when missing. Lower-case letters, digits and `_`. Default `surefoot`. */
  readonly schema?: string
  /** Most connections at the same time, one for listening not counted. Default 8. */
  readonly connections?: number
  /** The store's clock. Default: the database's. */
  readonly now?: () => Moment
}

/** When the statement reached the server: unlike `clock_timestamp()` it can be looked up in an index, and it moves within a transaction. */
const databaseNow = sql<number>`floor(extract(epoch from statement_timestamp()) * 1000)::bigint`
const schemaName = /^[a-z_][a-z0-9_]{0,39}$/

/**
 * Opens the store that any number of processes share, and brings its schema up to date. Fails with `input_invalid` when
 * a newer release wrote the database or `pg` is not installed, with status 503 when the database is not there. Later
 * outages fail each call in the same way, until the database is back.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { url, schema = 'surefoot', connections = 8, now = () => databaseNow } = options
  if (!schemaName.test(schema)) {
    const failure = createFailure('input_invalid', `"${schema}" cannot name a schema of the database.`, {
      fault: 'config',
    })
    throw new SurefootError(failure)
  }
  const driver = await loadPostgresDriver()
  const connection: PostgresConnectionOptions = { url, schema, applicationName: 'surefoot' }
  const db = new Kysely<Schema>({ dialect: createPostgresDialect(driver, { ...connection, connections }) })
  try {
    await migrate(db, undefined, transaction => enterMigration(transaction, schema))
  } catch (error) {
    await db.destroy()
    throw error
  }
  const channel = `surefoot_${schema}`
  const by = randomUUID()
  return createSqlStore({
    db,
    dialect: {
      ...createPostgresDifferences({ now, schema, channel, by }),
      listen: hear => createListener({ connect: () => connectPostgres(driver, connection), channel, by, hear }),
    },
  })
}

interface DifferencesOptions {
  now(): Moment
  readonly schema: string
  readonly channel: string
  readonly by: string
}

function createPostgresDifferences({ now, schema, channel, by }: DifferencesOptions): Omit<StoreDialect, 'listen'> {
  return {
    now,
    // In a `with`, which runs once: a plain subquery may run again, and then locks more rows than it has found.
    skipLocked: (db, query) =>
      db
        .with('free', () => query.forUpdate().skipLocked())
        .selectFrom('free')
        .select('id'),
    lockInOrder: (db, condition) => {
      const rows = db.selectFrom('predictions').select('id').where(condition).orderBy('id').forUpdate()
      return ({ eb }) =>
        eb(
          'id',
          'in',
          db
            .with('locked', () => rows)
            .selectFrom('locked')
            .select('id'),
        )
    },
    async enterRound(db, changes) {
      await lockPlaces(db, schema, changes)
      await lockRecords(db, changes)
    },
    async leaveRound(db, announcements) {
      const payloads = toPayloads(by, announcements)
      if (payloads.length === 0) return
      // Sent when, and only if, the transaction commits.
      await sql`select pg_notify(${channel}, payload) from unnest(${payloads}::text[]) as payload`.execute(db)
    },
    enterOwner: async (db, owner) => await lockNames(db, schema, [ownerLock(owner)]),
    mayRepeat: isUndone,
  }
}

/** No deployment has this name. */
const moneyLock = ' money'

/**
 * Counting places or money and taking some must be one act: whoever reserves on a deployment, or creates under a quota, holds
 * its lock until the commit. All take their locks in the same order, before any row, so that none waits for one who waits for it.
 */
async function lockPlaces(db: Database, schema: string, changes: readonly Change[]): Promise<void> {
  const reservations = changes.flatMap(change => change.reservations)
  const names = new Set(reservations.map(({ deployment }) => deployment))
  if (reservations.some(({ budget }) => budget !== null)) names.add(moneyLock)
  for (const { quota, record } of changes) if (quota !== undefined) names.add(ownerLock(record.owner))
  if (names.size > 0) await lockNames(db, schema, [...names])
}

function ownerLock(owner: string): string {
  return ` owner ${owner}`
}

async function lockNames(db: Database, schema: string, names: readonly string[]): Promise<void> {
  await sql`
    select pg_advisory_xact_lock(key) from (
      select distinct hashtextextended(${`${schema} `} || name, 0) as key
      from unnest(${names}::text[]) as name order by key
    ) as keys`.execute(db)
}

/** For the same reason the rows of a round are locked in the order of their ids; one row needs no order. */
async function lockRecords(db: Database, changes: readonly Change[]): Promise<void> {
  const ids = new Set(changes.flatMap(change => (change.version > 0 ? change.record.id : [])))
  if (ids.size < 2) return
  await db
    .selectFrom('predictions')
    .select('id')
    .where('id', '=', sql<string>`any(${[...ids]})`)
    .orderBy('id')
    .forUpdate()
    .execute()
}

/** One process migrates at a time; the others wait, and then find nothing to do. */
async function enterMigration(db: Database, schema: string): Promise<void> {
  await sql`select set_config('lock_timeout', '60000', true), set_config('statement_timeout', '0', true)`.execute(db)
  await sql`select pg_advisory_xact_lock(hashtextextended(${`surefoot migrates ${schema}`}, 0))`.execute(db)
  // Looked up first: "if not exists" asks for the right to create schemas, even where it is there.
  const found = await sql`select from pg_namespace where nspname = ${schema}`.execute(db)
  if (found.rows.length === 0) await sql`create schema ${sql.id(schema)}`.execute(db)
}
