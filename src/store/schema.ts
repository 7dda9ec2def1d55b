import type { Generated, Kysely, Transaction } from 'kysely'
import type { FailureCode } from '../core/failure.ts'
import type { AttemptState, NotificationState, PredictionStatus } from '../core/prediction.ts'

/** The tables as the code sees them. Times are milliseconds since 1970, flags are 0 or 1: both dialects read the same. */
export interface Schema {
  readonly predictions: PredictionsTable
  readonly attempts: AttemptsTable
  readonly deliveries: { readonly key: string; readonly seen_at: number }
  readonly secrets: { readonly name: string; readonly value: string }
  readonly files: FilesTable
  readonly pending_files: PendingFilesTable
  readonly tokens: TokensTable
  readonly model_migrations: { readonly model: string; readonly version: number; readonly state: string }
  readonly schema_version: { readonly version: number }
}

/** One row per prediction: `record` is the truth, the other columns are what queries look for. */
export interface PredictionsTable {
  readonly id: string
  readonly version: number
  readonly owner: string
  readonly model: string
  readonly status: PredictionStatus
  readonly created_at: number
  readonly next_at: number | null
  readonly lease_engine: string | null
  readonly lease_until: number | null
  readonly settled: number
  /** Bytes of its output where it is settled and its data are kept; null else. */
  readonly kept_bytes: number | null
  /** USD that it takes of its owner's budget; null where the owner has none. */
  readonly charge: number | null
  /** The worst that has become of its webhooks; null where none was to be sent. */
  readonly webhook: NotificationState | null
  /** JSON of `PredictionRecord`. */
  readonly record: string
}

/**
 * A projection of the records' attempts, written in the same transaction: reservations, webhooks, statistics and the
 * breaker look here, so that they need not read whole records.
 */
export interface AttemptsTable {
  readonly id: string
  readonly prediction_id: string
  readonly deployment: string
  readonly number: number
  readonly state: AttemptState
  /** 1 while the attempt takes a place on its deployment: see `occupiesPlace`. */
  readonly live: number
  readonly planned_at: number
  readonly submitted_at: number | null
  readonly booting_at: number | null
  readonly running_at: number | null
  readonly collecting_at: number | null
  readonly ended_at: number | null
  readonly failure_code: FailureCode | null
  readonly restarts: number
  /** Until when the provider asked us to stay away (Retry-After); null where it did not. */
  readonly closed_until: number | null
  /** USD that budgets count for it: the worst case until its cost is known. */
  readonly reserved: number
  /** USD; null while unknown. */
  readonly cost: number | null
}

export interface FilesTable {
  readonly id: string
  readonly owner: string
  readonly key: string
  readonly name: string
  readonly media_type: string
  readonly bytes: number
  readonly sha256: string
  readonly metadata: string
  readonly created_at: number
  readonly expires_at: number | null
  readonly needed_until: Generated<number>
}

/** Places for files that are going to be uploaded. */
export interface PendingFilesTable {
  readonly id: string
  readonly owner: string
  readonly key: string
  readonly name: string
  readonly media_type: string
  readonly bytes: number
  readonly metadata: string
  readonly expires_at: number
  /** 1 once it has become a file. */
  readonly taken: Generated<number>
}

export interface TokensTable {
  readonly id: string
  readonly name: string
  readonly digest: string
  /** With spaces in between. */
  readonly scopes: string
  readonly requests_per_minute: number | null
  readonly concurrency: number | null
  /** USD. */
  readonly budget_per_day: number | null
  readonly file_bytes: number | null
  readonly stored_bytes: number | null
  readonly created_at: number
  readonly expires_at: number | null
  readonly revoked_at: number | null
  readonly last_used_at: number | null
}

/** The database, or one transaction on it. */
export type Database = Kysely<Schema> | Transaction<Schema>
