import { type Expression, type ExpressionBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import type { Change, Store } from './contract.ts'
import type { Database, Schema } from './schema.ts'

/** Milliseconds since 1970: a number, or SQL that the database evaluates as a statement begins. */
export type Moment = number | Expression<number>

/** What listeners of a store hear. */
export type Announcement = Parameters<Parameters<Store['watch']>[0]>[0]

/** A query for ids of predictions. */
export type IdQuery = SelectQueryBuilder<Schema, 'predictions', { id: string }>

/** The ids that it finds: the query itself, or what a dialect made of it. */
export type FoundIds = IdQuery | SelectQueryBuilder<Schema & { free: { id: string } }, 'free', { id: string }>

/** Which rows of `predictions`. */
export type Condition = (expressions: ExpressionBuilder<Schema, 'predictions'>) => Expression<SqlBool>

/** Everything that databases do differently. Tables and queries are the same for all of them. */
export interface StoreDialect {
  /** The store's clock; where several processes share a database, the database's own. */
  now(): Moment
  /** The ids that a query finds, for the one update that uses them: rows that somebody else is changing are passed over. */
  skipLocked(db: Database, query: IdQuery): FoundIds
  /** The same condition, for an update of many rows: they are locked in the order of their ids before any is changed. */
  lockInOrder(db: Database, condition: Condition): Condition
  /** Called first in each transaction that applies changes: keeps what other processes do at the same time out of it. */
  enterRound(db: Database, changes: readonly Change[]): Promise<void>
  /** Called last in it: tells other processes what it changes, should it commit. */
  leaveRound(db: Database, announcements: readonly Announcement[]): Promise<void>
  /** Called first in a transaction that counts what an owner has and adds to it: others that do the same wait for its end. */
  enterOwner(db: Database, owner: string): Promise<void>
  /** Whether the database has undone a transaction and the same one may succeed now. */
  mayRepeat(error: unknown): boolean
  /** Calls `hear` with what other processes announce, until the returned function is called. */
  listen(hear: (announcement: Announcement) => void): () => Promise<void>
}

/** A moment `ms` after another. */
export function later(moment: Moment, ms: number): Moment {
  return typeof moment === 'number' ? moment + ms : sql<number>`${moment} + ${ms}`
}

/** What time it is by the store's clock. */
export async function readClock(db: Database, dialect: Pick<StoreDialect, 'now'>): Promise<number> {
  const now = dialect.now()
  if (typeof now === 'number') return now
  const { at } = await db.selectNoFrom(sql<number>`${now}`.as('at')).executeTakeFirstOrThrow()
  return at
}
