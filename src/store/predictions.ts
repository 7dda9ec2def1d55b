import { type Expression, type ExpressionBuilder, type RawBuilder, type Selectable, sql } from 'kysely'
import { chargeOf } from '../core/money.ts'
import { type PredictionRecord, webhookStateOf } from '../core/prediction.ts'
import { keptBytesOf } from '../core/retention.ts'
import { reservationsFit, writeAttempts } from './attempts.ts'
import type { Change, CommitOutcome, LeaseRequest, ListQuery, StoredPrediction } from './contract.ts'
import { type Condition, later, type Moment, type StoreDialect } from './dialect.ts'
import { checkQuota } from './quota.ts'
import type { Database, PredictionsTable, Schema } from './schema.ts'

/** How long a webhook's delivery id is remembered; vendors repeat deliveries for minutes to hours and sign a timestamp. */
const deliveriesKeptMs = 7 * 24 * 3_600_000

/** A change whose record has been written as JSON already: once, before the transaction. */
export interface PreparedChange {
  readonly change: Change
  readonly json: string
}

/** The columns that `fromRow` reads. */
export const stored = ['id', 'version', 'next_at', 'record'] as const
type StoredRow = Pick<Selectable<PredictionsTable>, (typeof stored)[number]>

/** Applies one change inside the caller's transaction, on its own merits. */
export async function applyChange(db: Database, { change, json }: PreparedChange, now: number): Promise<CommitOutcome> {
  if (change.reservations.length > 0 || change.quota !== undefined) {
    // A refusal must leave nothing behind, and a stale change is a conflict whether or not it would fit: look first.
    if (!(await isCurrent(db, change, now))) return 'conflict'
    const excess = await checkQuota(db, change)
    if (excess !== null) return excess
    if (!(await reservationsFit(db, change, now))) return 'refused'
  }
  // Looked up first: a repeated delivery of a record that has moved on is a replay, not a conflict.
  const delivery = change.delivery ?? null
  if (delivery !== null && (await isDelivered(db, delivery))) return 'replayed'
  if (!(await writeRow(db, change, json, now))) return 'conflict'
  if (delivery !== null) await rememberDelivery(db, delivery, now)
  await writeAttempts(db, change.record)
  return 'committed'
}

async function isDelivered(db: Database, key: string): Promise<boolean> {
  return (await db.selectFrom('deliveries').select('key').where('key', '=', key).executeTakeFirst()) !== undefined
}

async function rememberDelivery(db: Database, key: string, now: number): Promise<void> {
  await db
    .deleteFrom('deliveries')
    .where('seen_at', '<', now - deliveriesKeptMs)
    .execute()
  await db.insertInto('deliveries').values({ key, seen_at: now }).execute()
}

async function isCurrent(db: Database, change: Change, now: number): Promise<boolean> {
  const row = await db
    .selectFrom('predictions')
    .select(expressions => ['version', isWritable(change, now)(expressions).as('writable')])
    .where('id', '=', change.record.id)
    .executeTakeFirst()
  return row === undefined ? change.version === 0 : row.version === change.version && Boolean(row.writable)
}

async function writeRow(db: Database, change: Change, json: string, now: number): Promise<boolean> {
  const { record, version, nextAt } = change
  const changing = {
    version: version + 1,
    status: record.status,
    // Whole milliseconds: a bigint takes no fraction, and later is never too early.
    next_at: nextAt === null ? null : Math.ceil(nextAt),
    settled: record.settledAt === null ? 0 : 1,
    kept_bytes: keptBytesOf(record),
    charge: chargeOf(record),
    webhook: webhookStateOf(record),
    record: json,
    ...toLeaseColumns(change.lease, now),
  }
  if (version > 0) {
    const { numUpdatedRows } = await db
      .updateTable('predictions')
      .set(changing)
      .where('id', '=', record.id)
      .where('version', '=', version)
      .where(isWritable(change, now))
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('predictions')
    .values({ id: record.id, owner: record.owner, model: record.model, created_at: record.createdAt, ...changing })
    .onConflict(conflict => conflict.column('id').doNothing())
    .executeTakeFirst()
  return numInsertedOrUpdatedRows === 1n
}

function toLeaseColumns(
  lease: Change['lease'],
  now: number,
): Partial<Pick<PredictionsTable, 'lease_engine' | 'lease_until'>> {
  if (lease === 'unchanged') return {}
  if (lease.leaseMs === null) return { lease_engine: null, lease_until: null }
  return { lease_engine: lease.engine, lease_until: now + lease.leaseMs }
}

/** Takes leases of due records, oldest due first, in one statement: two engines never get the same record. */
export async function leaseDue(
  db: Database,
  dialect: StoreDialect,
  { engine, leaseMs, limit }: LeaseRequest,
): Promise<StoredPrediction[]> {
  const now = dialect.now()
  const due = db
    .selectFrom('predictions')
    .select('id')
    .where('next_at', '<=', now)
    .where(({ eb, or }) => or([eb('lease_until', 'is', null), eb('lease_until', '<=', now)]))
    .orderBy('next_at')
    .orderBy('id')
    .limit(limit)
  const rows = await db
    .updateTable('predictions')
    .set({ lease_engine: engine, lease_until: later(now, leaseMs) })
    .where('id', 'in', dialect.skipLocked(db, due))
    .returning(stored)
    .execute()
  // RETURNING promises no order.
  return rows.sort((a, b) => (a.next_at ?? 0) - (b.next_at ?? 0) || (a.id < b.id ? -1 : 1)).map(fromRow)
}

/** Takes the lease of one record, due or not. */
export async function leaseById(
  db: Database,
  dialect: StoreDialect,
  id: string,
  { engine, leaseMs }: Omit<LeaseRequest, 'limit'>,
): Promise<StoredPrediction | null> {
  const now = dialect.now()
  const row = await db
    .updateTable('predictions')
    .set({ lease_engine: engine, lease_until: later(now, leaseMs) })
    .where('id', '=', id)
    .where(isFreeFor(engine, now))
    .returning(stored)
    .executeTakeFirst()
  return row === undefined ? null : fromRow(row)
}

/** Renews what the engine still holds. A lease that has lapsed is not revived: others may have relied on its end. */
export async function renewLeases(
  db: Database,
  dialect: StoreDialect,
  engine: string,
  leaseMs: number,
): Promise<Map<string, number>> {
  const now = dialect.now()
  const isHeld: Condition = ({ eb, and }) => and([eb('lease_engine', '=', engine), eb('lease_until', '>', now)])
  const rows = await db
    .updateTable('predictions')
    .set({ lease_until: later(now, leaseMs) })
    .where(dialect.lockInOrder(db, isHeld))
    .returning(['id', 'version'])
    .execute()
  return new Map(rows.map(row => [row.id, row.version]))
}

/** Gives back those of the named leases that are the engine's; what it was waiting for is its successor's business now. */
export async function releaseLeases(
  db: Database,
  dialect: StoreDialect,
  engine: string,
  ids: readonly string[],
): Promise<void> {
  const now = dialect.now()
  const atOnce = 500
  for (let from = 0; from < ids.length; from += atOnce) {
    const some = ids.slice(from, from + atOnce)
    const isHeld: Condition = ({ eb, and }) => and([eb('lease_engine', '=', engine), eb('id', 'in', some)])
    await db
      .updateTable('predictions')
      .set(({ ref }) => ({ lease_engine: null, lease_until: null, next_at: dueAtOnce(ref('next_at'), now) }))
      .where(dialect.lockInOrder(db, isHeld))
      .execute()
  }
}

/** Now, where it was to be due later; never, where it is settled. */
export function dueAtOnce(nextAt: Expression<number | null>, now: Moment): RawBuilder<number | null> {
  return sql<number | null>`case when ${nextAt} > ${now} then ${now} else ${nextAt} end`
}

/** One record as stored. */
export async function findPrediction(db: Database, id: string): Promise<StoredPrediction | null> {
  const row = await db.selectFrom('predictions').select(stored).where('id', '=', id).executeTakeFirst()
  return row === undefined ? null : fromRow(row)
}

/** Newest first; records of the same millisecond by id, so that pages neither repeat nor skip one. */
export async function listPredictions(db: Database, query: ListQuery): Promise<StoredPrediction[]> {
  let select = db.selectFrom('predictions').select(stored)
  const { owner, webhook, before, createdAfter, createdBefore } = query
  if (owner !== null) select = select.where('owner', '=', owner)
  if (webhook === 'any') select = select.where('webhook', 'is not', null)
  else if (webhook !== undefined) select = select.where('webhook', '=', webhook)
  if (createdAfter !== undefined) select = select.where('created_at', '>=', createdAfter)
  if (createdBefore !== undefined) select = select.where('created_at', '<', createdBefore)
  if (before !== undefined)
    select = select.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('created_at', 'id'), '<', tuple(before.createdAt, before.id)),
    )
  const rows = await select.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(query.limit).execute()
  return rows.map(fromRow)
}

/** Whether the change's wish for the lease can be had: only taking it, or giving it back, can fail. */
function isWritable({ lease }: Change, now: number) {
  if (typeof lease === 'object') return isFreeFor(lease.engine, now)
  return ({ lit }: ExpressionBuilder<Schema, 'predictions'>) => lit(true)
}

/** Nobody's, lapsed, or the engine's own. */
function isFreeFor(engine: string, now: Moment) {
  return ({ eb, or }: ExpressionBuilder<Schema, 'predictions'>) =>
    or([eb('lease_until', 'is', null), eb('lease_until', '<=', now), eb('lease_engine', '=', engine)])
}

/** A row as callers know it. */
export function fromRow(row: StoredRow): StoredPrediction {
  return { record: JSON.parse(row.record) as PredictionRecord, version: row.version, nextAt: row.next_at }
}
