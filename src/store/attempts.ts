import { sql } from 'kysely'
import { type Attempt, isEnded, type PredictionRecord } from '../core/prediction.ts'
import type { Change } from './contract.ts'
import type { AttemptsTable, Database } from './schema.ts'

// Written out, not bound: the planner must see that the partial index `attempts_live` covers the query.
const isLive = sql.lit(1)

/**
 * Whether an attempt takes a place on its deployment: from the write of its start intent (`submitting` or later) until
 * it is ended *and* its release is no longer `open`. An abandoned run that may still be working at the provider counts,
 * otherwise hedges and retries would pile up behind it.
 */
export function occupiesPlace(attempt: Pick<Attempt, 'state' | 'release'>): boolean {
  if (attempt.state === 'planned') return false
  return !isEnded(attempt.state) || attempt.release === 'open'
}

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
        running_at: ref('excluded.running_at'),
        ended_at: ref('excluded.ended_at'),
        failure_code: ref('excluded.failure_code'),
        reserved: ref('excluded.reserved'),
        cost: ref('excluded.cost'),
      })),
    )
    .execute()
}

/** Whether every deployment that the change reserves on still has room for what its record would then occupy there. */
export async function reservationsFit(db: Database, change: Change): Promise<boolean> {
  for (const { deployment, concurrency } of change.reservations) {
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
  }
  return true
}

function toRow(predictionId: string, attempt: Attempt): AttemptsTable {
  return {
    id: attempt.id,
    prediction_id: predictionId,
    deployment: attempt.deployment,
    number: attempt.number,
    state: attempt.state,
    live: occupiesPlace(attempt) ? 1 : 0,
    planned_at: attempt.plannedAt,
    submitted_at: attempt.submittedAt,
    running_at: attempt.runningAt,
    ended_at: attempt.endedAt,
    failure_code: attempt.failure?.code ?? null,
    reserved: attempt.reserved,
    cost: attempt.cost?.amount ?? null,
  }
}
