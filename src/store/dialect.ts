import { type Expression, type SelectQueryBuilder, sql } from 'kysely'
import type { Change, Store } from './contract.ts'
import type { Database, Schema } from './schema.ts'

/** Milliseconds since 1970: a number, or SQL that the database evaluates as a statement begins. */
export type Moment = number | Expression<number>

/** What listeners of a store hear. */
export type Announcement = Parameters<Parameters<Store['watch']>[0]>[0]

/** A query for ids of predictions. */
export type IdQuery = SelectQueryBuilder<Schema, 'predictions', { id: string }>

/** Everything that databases do differently. Tables and queries are the same for all of them. */
export interface StoreDialect {
  /** The store's clock; where several processes share a database, the database's own. */
  now(): Moment
  /**
   * Makes a query lock the rows that it finds until its transaction ends, in the query's order. Rows that another
   * transaction has locked are waited for, or passed over.
   */
  lockRows(query: IdQuery, others: 'wait' | 'skip'): IdQuery
  /** Called first in each transaction that applies changes: keeps what other processes do at the same time out of it. */
  enterRound(db: Database, changes: readonly Change[]): Promise<void>
  /** Called last in it: tells other processes what it changes, should it commit. */
  leaveRound(db: Database, announcements: readonly Announcement[]): Promise<void>
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
