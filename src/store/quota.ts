import { sql } from 'kysely'
import { chargeOf } from '../core/money.ts'
import type { PredictionStatus } from '../core/prediction.ts'
import type { Change, Usage } from './contract.ts'
import type { Database } from './schema.ts'

const liveStatuses: readonly PredictionStatus[] = ['starting', 'processing']

/** Whether the owner's quota has room for a new record; which part of it has none, else null. */
export async function checkQuota(db: Database, { record, quota }: Change): Promise<'too_many' | 'too_dear' | null> {
  if (quota === undefined) return null
  if (quota.live !== null && (await countLive(db, record.owner)) >= quota.live) return 'too_many'
  const { budget } = quota
  if (budget === null) return null
  return (await sumCharges(db, record.owner, budget.since)) + (chargeOf(record) ?? 0) > budget.limit ? 'too_dear' : null
}

/** What an owner has of its quota. */
export async function usedBy(db: Database, owner: string, since: number): Promise<Usage> {
  return { live: await countLive(db, owner), charged: await sumCharges(db, owner, since) }
}

async function countLive(db: Database, owner: string): Promise<number> {
  const { live } = await db
    .selectFrom('predictions')
    .select(({ fn }) => fn.countAll<number>().as('live'))
    .where('owner', '=', owner)
    // Written out, not bound: the planner must see that the partial index `predictions_open` covers the query.
    .where('settled', '=', sql.lit(0))
    .where('status', 'in', liveStatuses)
    .executeTakeFirstOrThrow()
  return Number(live)
}

async function sumCharges(db: Database, owner: string, since: number): Promise<number> {
  const { charged } = await db
    .selectFrom('predictions')
    .select(({ fn }) => fn.sum<number | null>('charge').as('charged'))
    .where('owner', '=', owner)
    .where('created_at', '>=', since)
    .where('charge', 'is not', null)
    .executeTakeFirstOrThrow()
  return Number(charged ?? 0)
}
