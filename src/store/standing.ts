import { sql } from 'kysely'
import type { NotificationState } from '../core/prediction.ts'
import type { Standing } from './contract.ts'
import { readClock, type StoreDialect } from './dialect.ts'
import type { Database } from './schema.ts'

/** So many rows of each kind are counted at most: enough to see that something is wrong, few enough to look often. */
const mostCounted = 100_000

/** How things stand, of all processes together: by indexes that hold what is open only, however much has ended. */
export async function readStanding(db: Database, dialect: StoreDialect): Promise<Standing> {
  const now = dialect.now()
  const open = await db
    .selectFrom(
      db
        .selectFrom('predictions')
        .select(['model', 'status'])
        .where('next_at', 'is not', null)
        .limit(mostCounted)
        .as('open'),
    )
    .select(({ fn }) => ['model', 'status', fn.countAll<number>().as('count')])
    .groupBy(['model', 'status'])
    .orderBy('model')
    .orderBy('status')
    .execute()
  // As it is picked up: what somebody holds is stepped in that one's memory.
  const overdue = await db
    .selectFrom('predictions')
    .select('next_at')
    .where('next_at', '<=', now)
    .where(({ eb, or }) => or([eb('lease_until', 'is', null), eb('lease_until', '<=', now)]))
    .orderBy('next_at')
    .limit(1)
    .executeTakeFirst()
  const running = await db
    .selectFrom('attempts')
    .select(({ fn }) => [
      'deployment',
      fn.countAll<number>().as('count'),
      fn.sum<number | null>('reserved').as('reserved'),
    ])
    // Written out, not bound: the planner must see that the partial index `attempts_live` covers the query.
    .where('live', '=', sql.lit(1))
    .groupBy('deployment')
    .orderBy('deployment')
    .execute()
  const at = await readClock(db, dialect)
  return {
    open: open.map(({ count, ...row }) => ({ ...row, count: Number(count) })),
    overdueMs: overdue?.next_at == null ? 0 : Math.max(0, at - overdue.next_at),
    running: running.map(({ deployment, count, reserved }) => ({
      deployment,
      count: Number(count),
      reserved: Number(reserved ?? 0),
    })),
    webhooks: { waiting: await countWebhooks(db, 'waiting'), dead: await countWebhooks(db, 'dead') },
  }
}

async function countWebhooks(db: Database, state: NotificationState): Promise<number> {
  const { count } = await db
    .selectFrom(db.selectFrom('predictions').select('id').where('webhook', '=', state).limit(mostCounted).as('some'))
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}
