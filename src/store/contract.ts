import type { MigrationState } from '../core/migration.ts'
import type { NotificationState, PredictionRecord, PredictionStatus } from '../core/prediction.ts'
import type { AttemptFact } from '../core/statistics.ts'
import type { Token } from '../core/token.ts'

/**
 * Durable state. Verbs are async, coarse and non-interactive: one transaction each. Two fences: the lease says who may
 * begin effects, the version (compare and set) protects every write. Times and leases use the store's own clock.
 */
export interface Store {
  /**
   * Applies changes in one transaction, each on its own merits: `conflict` when the stored version is not `version`
   * (or an insert's id exists), `refused` when a reservation no longer fits, `too_many` or `too_dear` when the owner's
   * quota has no room for it. The others still apply.
   */
  commit(changes: readonly Change[]): Promise<readonly CommitOutcome[]>
  /** Takes the lease of up to `limit` records that are due and that nobody holds (this engine included), oldest due first. */
  lease(request: LeaseRequest): Promise<readonly StoredPrediction[]>
  /** Takes the lease of one record, due or not; null when somebody else holds it or there is no such record. */
  leaseOne(id: string, request: Omit<LeaseRequest, 'limit'>): Promise<StoredPrediction | null>
  /** Renews every lease of this engine in one statement; answers which records it still holds, with their stored version. */
  renew(engine: string, leaseMs: number): Promise<ReadonlyMap<string, number>>
  /** Gives leases back and makes the records due: a successor takes them at once, whatever was being waited for. */
  release(engine: string, ids: readonly string[]): Promise<void>
  get(id: string): Promise<StoredPrediction | null>
  /** Newest first. */
  list(query: ListQuery): Promise<readonly StoredPrediction[]>
  /** The newest attempts of a deployment, newest first: what statistics and the breaker are derived from. */
  recentAttempts(deployment: string, limit: number): Promise<readonly AttemptFact[]>
  /** USD of all attempts sent since then (ms since 1970): what they cost, at worst case where that is not known yet. */
  spentSince(since: number): Promise<number>
  /** How much an owner has: predictions that have not ended, and USD of its budget (`chargeOf`) by those created since then. */
  usedBy(owner: string, since: number): Promise<Usage>
  /** Finds the prediction of an attempt, for webhooks and uploads; null when unknown. */
  predictionOf(attemptId: string): Promise<string | null>
  /** Reads or creates a named secret (random bytes, base64url). */
  secret(name: string): Promise<string>
  /** Where a model's traffic stands between two deployments; null where nothing was ever written. */
  migration(model: string): Promise<StoredMigration | null>
  /**
   * Writes that, from the version that the new state was made from; 0 inserts. False, and nothing is changed, when the stored
   * version is another one by now: of processes that judge at the same time, one gets through.
   */
  putMigration(model: string, migration: StoredMigration): Promise<boolean>

  addToken(token: Token): Promise<void>
  findToken(id: string): Promise<Token | null>
  /** Newest first; revoked and expired ones too. */
  listTokens(): Promise<readonly Token[]>
  /** False when there is none, or it was revoked before. */
  revokeToken(id: string, at: number): Promise<boolean>
  noteTokenUse(id: string, at: number): Promise<void>
  /** Whether there is a token that was not revoked; expired ones count. */
  hasTokens(): Promise<boolean>

  /**
   * Adds a file, or replaces the one with its id. The same bytes are kept once for each owner: where the owner has them
   * under another key already, the answer, and what is stored, is the row with that key, and `file.key` is not needed.
   * With `storedBytes`, which is what its owner may keep, fails as `refuseFull` says where there is no room for it.
   */
  putFile(file: FileRow, storedBytes?: number | null): Promise<FileRow>
  getFile(id: string): Promise<FileRow | null>
  /** Newest first, those after the file `after`; `input_invalid` when the owner has no such file. */
  listFiles(query: { owner: string; limit: number; after?: string }): Promise<readonly FileRow[]>
  /** Answers the key whose bytes no file needs any more; null when others share it, or when there is no such file. */
  deleteFile(id: string): Promise<string | null>

  /**
   * Bytes of an owner's files, those that files share once, and of its places that are not over and have no file with
   * bytes of its own: also where that was deleted, for whoever has the place's link may upload there again.
   */
  storedBytes(owner: string): Promise<number>
  /** Adds a place for a file; with `storedBytes` fails as `putFile` does. */
  addPendingFile(place: PendingFile, storedBytes: number | null): Promise<void>
  /** Null where there is none, it has become a file, or it is over. */
  getPendingFile(id: string): Promise<PendingFile | null>
  /**
   * Makes the file of its place (by id), which counted among its owner's files before, and notes its key for the place. Null
   * where `getPendingFile` is.
   */
  takePendingFile(file: FileRow): Promise<FileRow | null>
  /** Places that were over before then, oldest first, those that became files too. */
  oldestPendingFiles(query: { before: number; limit: number }): Promise<readonly PendingFile[]>
  /** Forgets a place; answers its key where no file has it, null else. */
  deletePendingFile(id: string): Promise<string | null>

  /** Keeps a file at least until then, whatever its age; false when there is none any more. */
  holdFile(id: string, until: number): Promise<boolean>
  /** Deletes a file unless something needs it at that moment, or it is gone: then null. `freed` is what `deleteFile` answers. */
  deleteUnneeded(id: string, now: number): Promise<{ readonly freed: string | null } | null>
  /** Files created before then that nothing needs `now`, oldest first. */
  oldestFiles(query: { before: number; now: number; limit: number }): Promise<readonly FileRow[]>
  /** Settled predictions created before then whose data are kept, oldest first; with `withOutput` those that keep an output. */
  oldestKept(query: { before: number; limit: number; withOutput?: boolean }): Promise<readonly StoredPrediction[]>
  /** Bytes of all outputs of settled predictions and of all files; those that files share count once. */
  keptBytes(): Promise<number>
  /** How things stand for all processes together. Looks at what is open only, and at no more than 100,000 of each kind. */
  standing(): Promise<Standing>

  /** Calls back after each commit of this process (other processes: as soon as the store can tell). A hint, never truth. */
  watch(listener: (change: { id: string; version: number; dueNow: boolean }) => void): () => void
  now(): Promise<number>
  close(): Promise<void>
}

export interface StoredPrediction {
  readonly record: PredictionRecord
  /** Starts at 1 and grows by one with each write. */
  readonly version: number
  readonly nextAt: number | null
}

/** What a dashboard shows of a store. */
export interface Standing {
  /** Predictions that are not settled, those that have ended included. */
  readonly open: readonly { readonly model: string; readonly status: PredictionStatus; readonly count: number }[]
  /** For how long the oldest prediction has been due that nobody holds; 0 where none is. */
  readonly overdueMs: number
  /** Attempts that take a place on their deployment, and USD that budgets count for them. */
  readonly running: readonly { readonly deployment: string; readonly count: number; readonly reserved: number }[]
  /** Predictions, by the worst that has become of their webhooks. */
  readonly webhooks: { readonly waiting: number; readonly dead: number }
}

export interface StoredMigration {
  readonly state: MigrationState
  /** Starts at 1 and grows by one with each write. */
  readonly version: number
}

export interface Change {
  readonly record: PredictionRecord
  /** The version that this change was made from; 0 inserts. */
  readonly version: number
  /** When the record wants to be stepped next; null only when it is settled. */
  readonly nextAt: number | null
  /** A webhook's delivery id, remembered in the same transaction (the replay cache). Default: none. */
  readonly delivery?: string | null
  /** Places and money that this change takes; checked in the same transaction. */
  readonly reservations: readonly Reservation[]
  /** Of an insert: what its owner may have, this record included; checked in the same transaction. Default: no limit. */
  readonly quota?: Quota
  /**
   * What happens to the record's lease with this write. `{ engine, leaseMs }` takes or renews it (`conflict` while another
   * engine holds an unexpired one), with `null` it is freed (the same), `unchanged` leaves whoever holds it alone: an answer that
   * arrives at a process without the lease is still written, under the protection of `version`.
   */
  readonly lease: { readonly engine: string; readonly leaseMs: number | null } | 'unchanged'
}

export interface Reservation {
  readonly deployment: string
  /** Live attempts allowed on the deployment, this one included. */
  readonly concurrency: number
  /** Starts allowed there within any 60 seconds, by all processes together; null: no limit. */
  readonly startsPerMinute: number | null
  /** Worst-case cost of the attempt, and what all attempts sent since then may cost together, in USD; null: no limit. */
  readonly budget: { readonly amount: number; readonly since: number; readonly limit: number } | null
}

export interface Quota {
  /** Predictions that have not ended; null: no limit. */
  readonly live: number | null
  /** USD of the predictions created since then; null: no limit. */
  readonly budget: { readonly since: number; readonly limit: number } | null
}

export interface Usage {
  readonly live: number
  readonly charged: number
}

/** `replayed`: its delivery was seen before, so the change is already part of the record. */
export type CommitOutcome = 'committed' | 'conflict' | 'refused' | 'replayed' | 'too_many' | 'too_dear'

export interface LeaseRequest {
  readonly engine: string
  readonly leaseMs: number
  readonly limit: number
}

export interface ListQuery {
  readonly owner: string | null
  readonly limit: number
  /** Only those whose webhooks fare so (`webhookStateOf`); `any`: that have webhooks. Default: all. */
  readonly webhook?: NotificationState | 'any'
  /** Cursor: only records older than this one (created time, then id). */
  readonly before?: { readonly createdAt: number; readonly id: string }
  /** Inclusive. */
  readonly createdAfter?: number
  /** Exclusive. */
  readonly createdBefore?: number
}

/** A file that the API knows by id (Replicate's Files API). */
export interface FileRow {
  readonly id: string
  readonly owner: string
  readonly key: string
  readonly name: string
  readonly mediaType: string
  readonly bytes: number
  readonly sha256: string
  readonly metadata: string
  readonly createdAt: number
  readonly expiresAt: number | null
}

/** A place for a file that its owner was going to upload. */
export interface PendingFile {
  /** The file's, later. */
  readonly id: string
  readonly owner: string
  /** The file's, once there is one; before that only what keys of files are made of. Never the place itself: whoever may upload there may do so again. */
  readonly key: string
  readonly name: string
  readonly mediaType: string
  /** Promised, exactly. */
  readonly bytes: number
  readonly metadata: string
  /** When the place is over. */
  readonly expiresAt: number
}
