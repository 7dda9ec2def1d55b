import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import { invariant, SurefootError } from '../core/failure.ts'
import { recentAttempts, spentSince } from './attempts.ts'
import type { CommitOutcome, Store } from './contract.ts'
import { type Announcement, readClock, type StoreDialect } from './dialect.ts'
import { deleteFileRow, findFileRow, listFileRows, writeFileRow } from './file-rows.ts'
import { createGrouped } from './grouped.ts'
import { deleteUnneeded, holdFile, oldestFiles, oldestKept, sumKept } from './kept.ts'
import { findMigration, writeMigration } from './model-migrations.ts'
import {
  addPendingRow,
  checkStored,
  deletePendingRow,
  findPendingRow,
  oldestPendingRows,
  sumStored,
  takePendingRow,
} from './pending-file-rows.ts'
import {
  applyChange,
  findPrediction,
  leaseById,
  leaseDue,
  listPredictions,
  type PreparedChange,
  releaseLeases,
  renewLeases,
} from './predictions.ts'
import { usedBy } from './quota.ts'
import type { Database, Schema } from './schema.ts'
import { readStanding } from './standing.ts'
import { addToken, findToken, hasTokens, listTokens, noteTokenUse, revokeToken } from './tokens.ts'

export interface SqlStoreOptions {
  /** A migrated database; the store closes it. */
  readonly db: Kysely<Schema>
  readonly dialect: StoreDialect
}

/** How often a transaction is tried that the database undoes because of what others do at the same time. */
const roundTries = 4

/** The store on any SQL database that Kysely speaks to; one set of queries for all of them. */
export function createSqlStore({ db, dialect }: SqlStoreOptions): Store {
  const listeners = new Set<(announcement: Announcement) => void>()

  async function applyRound(changes: readonly PreparedChange[]) {
    return await db.transaction().execute(async transaction => {
      await dialect.enterRound(
        transaction,
        changes.map(({ change }) => change),
      )
      const at = await readClock(transaction, dialect)
      const outcomes: CommitOutcome[] = []
      for (const change of changes) outcomes.push(await applyChange(transaction, change, at))
      const announcements = changes.flatMap(({ change }, index): Announcement[] => {
        if (outcomes[index] !== 'committed') return []
        const dueNow = change.nextAt !== null && change.nextAt <= at
        return [{ id: change.record.id, version: change.version + 1, dueNow }]
      })
      await dialect.leaveRound(transaction, announcements)
      return { outcomes, announcements }
    })
  }

  const commitGroup = createGrouped<PreparedChange, CommitOutcome>(async changes => {
    for (let tries = 1; ; tries++) {
      try {
        const { outcomes, announcements } = await applyRound(changes)
        // Our own changes are heard at once; others hear of them from the database, and we do not hear them twice.
        for (const announcement of announcements) announce(announcement)
        return outcomes
      } catch (error) {
        if (tries === roundTries || !dialect.mayRepeat(error)) throw error
      }
    }
  }, isOutage)

  function announce(announcement: Announcement): void {
    // In its own microtask: a listener that throws is a bug to be seen, but the commit has happened all the same.
    for (const listener of listeners) queueMicrotask(() => listener(announcement))
  }

  /** Writes what an owner is going to keep, in one act with the check that it may. */
  async function within<T>(owner: string, storedBytes: number | null, write: (db: Database) => Promise<T>): Promise<T> {
    return await db.transaction().execute(async transaction => {
      if (storedBytes !== null) await dialect.enterOwner(transaction, owner)
      const written = await write(transaction)
      if (storedBytes !== null) await checkStored(transaction, dialect, owner, storedBytes)
      return written
    })
  }

  const stopListening = dialect.listen(announce)

  return {
    async commit(changes) {
      if (changes.length === 0) return []
      return await commitGroup(
        changes.map(change => {
          const { record, nextAt } = change
          invariant(
            nextAt !== null || record.settledAt !== null,
            `prediction ${record.id} is not settled and never due`,
          )
          return { change, json: JSON.stringify(record) }
        }),
      )
    },
    lease: async request => await leaseDue(db, dialect, request),
    leaseOne: async (id, request) => await leaseById(db, dialect, id, request),
    renew: async (engine, leaseMs) => await renewLeases(db, dialect, engine, leaseMs),
    release: async (engine, ids) => await releaseLeases(db, dialect, engine, ids),
    get: async id => await findPrediction(db, id),
    list: async query => await listPredictions(db, query),
    recentAttempts: async (deployment, limit) => await recentAttempts(db, deployment, limit),
    spentSince: async since => await spentSince(db, since),
    usedBy: async (owner, since) => await usedBy(db, owner, since),
    async predictionOf(attemptId) {
      const row = await db.selectFrom('attempts').select('prediction_id').where('id', '=', attemptId).executeTakeFirst()
      return row?.prediction_id ?? null
    },

    async secret(name) {
      // Insert first, read after: of two processes that ask at once, both get the one that was stored.
      const value = randomBytes(32).toString('base64url')
      await db
        .insertInto('secrets')
        .values({ name, value })
        .onConflict(conflict => conflict.column('name').doNothing())
        .execute()
      const row = await db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirstOrThrow()
      return row.value
    },
    migration: async model => await findMigration(db, model),
    putMigration: async (model, migration) => await writeMigration(db, model, migration),

    addToken: async token => await addToken(db, token),
    findToken: async id => await findToken(db, id),
    listTokens: async () => await listTokens(db),
    revokeToken: async (id, at) => await revokeToken(db, id, at),
    noteTokenUse: async (id, at) => await noteTokenUse(db, id, at),
    hasTokens: async () => await hasTokens(db),

    putFile: async (file, storedBytes = null) =>
      await within(file.owner, storedBytes, transaction => writeFileRow(transaction, file)),
    getFile: async id => await findFileRow(db, id),
    listFiles: async query => await listFileRows(db, query),
    deleteFile: async id => await db.transaction().execute(transaction => deleteFileRow(transaction, id)),

    storedBytes: async owner => await sumStored(db, dialect, owner),
    addPendingFile: async (place, storedBytes) =>
      await within(place.owner, storedBytes, transaction => addPendingRow(transaction, place)),
    getPendingFile: async id => await findPendingRow(db, dialect, id),
    takePendingFile: async file =>
      await db.transaction().execute(transaction => takePendingRow(transaction, dialect, file)),
    oldestPendingFiles: async query => await oldestPendingRows(db, query),
    deletePendingFile: async id => await db.transaction().execute(transaction => deletePendingRow(transaction, id)),

    holdFile: async (id, until) => await holdFile(db, id, until),
    deleteUnneeded: async (id, now) =>
      await db.transaction().execute(transaction => deleteUnneeded(transaction, id, now)),
    oldestFiles: async query => await oldestFiles(db, query),
    oldestKept: async query => await oldestKept(db, query),
    keptBytes: async () => await sumKept(db),
    standing: async () => await readStanding(db, dialect),

    watch(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    now: async () => await readClock(db, dialect),
    async close() {
      await stopListening()
      await db.destroy()
    },
  }
}

/** The database is away or too busy: that says nothing about any one change. */
function isOutage(error: unknown): boolean {
  return SurefootError.is(error) && error.status === 503
}
