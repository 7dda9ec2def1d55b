import { sql } from 'kysely'
import { spentOn } from '../core/money.ts'
import { type Attempt, occupiesPlace, type PredictionRecord, verdictOf } from '../core/prediction.ts'
import type { AttemptFact } from '../core/statistics.ts'
import { isWarmUp } from '../core/warm-up.ts'
import type { Change } from './contract.ts'
import type { AttemptsTable, Database } from './schema.ts'

const minuteMs = 60_000

// Written out, not bound: the planner must see that the partial index `attempts_live` covers the query.
const isLive = sql.lit(1)

/** Brings the projection up to the record. Attempts never leave a record, so there is nothing to delete. */
export async function writeAttempts(db: Database, record: PredictionRecord): Promise<void> {
  if (record.attempts.length === 0) return
  await db
    .insertInto('attempts')
    .values(record.attempts.map(attempt => toRow(record.id, attempt)))
    .onConflict(conflict =>
      conflict.column('id').doUpdateSet(({ ref }) => ({
        state: ref('excluded.state'),
        live: ref('excluded.live'),
        submitted_at: ref('excluded.submitted_at'),
        booting_at: ref('excluded.booting_at'),
        running_at: ref('excluded.running_at'),
        collecting_at: ref('excluded.collecting_at'),
        ended_at: ref('excluded.ended_at'),
        failure_code: ref('excluded.failure_code'),
        restarts: ref('excluded.restarts'),
        closed_until: ref('excluded.closed_until'),
        reserved: ref('excluded.reserved'),
        cost: ref('excluded.cost'),
      })),
    )
    .execute()
}

/** How many attempts were sent to a deployment since then. */
async function startsSince(db: Database, deployment: string, since: number): Promise<number> {
  const { starts } = await db
    .selectFrom('attempts')
    .select(({ fn }) => fn.countAll<number>().as('starts'))
    .where('submitted_at', '>', since)
    .where('deployment', '=', deployment)
    .executeTakeFirstOrThrow()
  return Number(starts)
}

/** Whether every deployment that the change reserves on still has room for what its record would then occupy there. */
export async function reservationsFit(db: Database, change: Change, now: number): Promise<boolean> {
  for (const { deployment, concurrency, startsPerMinute, budget } of change.reservations) {
    const { others } = await db
      .selectFrom('attempts')
      .select(({ fn }) => fn.countAll<number>().as('others'))
      .where('deployment', '=', deployment)
      .where('live', '=', isLive)
      .where('prediction_id', '!=', change.record.id)
      .executeTakeFirstOrThrow()
    const own = change.record.attempts.filter(
      attempt => attempt.deployment === deployment && occupiesPlace(attempt),
    ).length
    if (Number(others) + own > concurrency) return false
    if (startsPerMinute !== null && (await startsSince(db, deployment, now - minuteMs)) >= startsPerMinute) return false
    // Written with the change, so that what it sends is not counted yet.
    if (budget !== null && (await spentSince(db, budget.since)) + budget.amount > budget.limit) return false
  }
  return true
}

/** The newest attempts of a deployment, newest first. */
export async function recentAttempts(db: Database, deployment: string, limit: number): Promise<AttemptFact[]> {
  const rows = await db
    .selectFrom('attempts')
    .selectAll()
    .where('deployment', '=', deployment)
    .orderBy('planned_at', 'desc')
    .limit(limit)
    .execute()
  return rows.map(row => ({
    deployment: row.deployment,
    state: row.state,
    failure: row.failure_code,
    plannedAt: row.planned_at,
    submittedAt: row.submitted_at,
    bootingAt: row.booting_at,
    runningAt: row.running_at,
    collectingAt: row.collecting_at,
    endedAt: row.ended_at,
    restarts: row.restarts,
    closedUntil: row.closed_until,
    cost: row.cost,
    ...(isWarmUp(row.prediction_id) && { warm: true }),
  }))
}

/** What the attempts that were sent since then cost, or may still cost. */
export async function spentSince(db: Database, since: number): Promise<number> {
  const { spent } = await db
    .selectFrom('attempts')
    .select(({ fn }) => fn.sum<number | null>('reserved').as('spent'))
    .where('submitted_at', '>=', since)
    .executeTakeFirstOrThrow()
  return Number(spent ?? 0)
}

/** Others must not ask there again before the provider's own Retry-After has passed. */
function closedUntil({ failure, endedAt }: Attempt): number | null {
  return failure?.retryAfterMs === undefined || endedAt === null ? null : endedAt + failure.retryAfterMs
}

function toRow(predictionId: string, attempt: Attempt): AttemptsTable {
  // Given notice, an attempt may take minutes to end: the breaker must not wait for that.
  const verdict = verdictOf(attempt)
  return {
    id: attempt.id,
    prediction_id: predictionId,
    deployment: attempt.deployment,
    number: attempt.number,
    state: attempt.state,
    live: occupiesPlace(attempt) ? 1 : 0,
    planned_at: attempt.plannedAt,
    submitted_at: attempt.submittedAt,
    booting_at: attempt.bootingAt,
    running_at: attempt.runningAt,
    collecting_at: attempt.collectingAt,
    ended_at: verdict.at,
    failure_code: verdict.failure?.code ?? null,
    restarts: attempt.restarts,
    closed_until: closedUntil(attempt),
    reserved: spentOn(attempt),
    cost: attempt.cost?.amount ?? null,
  }
}
