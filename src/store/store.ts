import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import { invariant } from '../core/failure.ts'
import type { CommitOutcome, Store } from './contract.ts'
import { findFileRow, listFileRows, writeFileRow } from './file-rows.ts'
import { createGrouped } from './grouped.ts'
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
import type { Database, Schema } from './schema.ts'

export interface SqlStoreOptions {
  /** A migrated database; the store closes it. */
  readonly db: Kysely<Schema>
  /** The store's clock, in milliseconds since 1970; where several processes share a database, the database's own. */
  now(db: Database): Promise<number>
}

/** The store on any SQL database that Kysely speaks to; one set of queries for all of them. */
export function createSqlStore({ db, now }: SqlStoreOptions): Store {
  const listeners = new Set<Parameters<Store['watch']>[0]>()

  const commitGroup = createGrouped<PreparedChange, CommitOutcome>(async changes => {
    const { at, outcomes } = await db.transaction().execute(async transaction => {
      const at = await now(transaction)
      const outcomes: CommitOutcome[] = []
      for (const change of changes) outcomes.push(await applyChange(transaction, change, at))
      return { at, outcomes }
    })
    for (const [index, { change }] of changes.entries()) {
      if (outcomes[index] !== 'committed') continue
      const dueNow = change.nextAt !== null && change.nextAt <= at
      announce({ id: change.record.id, version: change.version + 1, dueNow })
    }
    return outcomes
  })

  function announce(change: Parameters<Parameters<Store['watch']>[0]>[0]): void {
    // In its own microtask: a listener that throws is a bug to be seen, but the commit has happened all the same.
    for (const listener of listeners) queueMicrotask(() => listener(change))
  }

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
    lease: async request => await leaseDue(db, request, await now(db)),
    leaseOne: async (id, request) => await leaseById(db, id, request, await now(db)),
    renew: async (engine, leaseMs) => await renewLeases(db, engine, leaseMs, await now(db)),
    release: async (engine, ids) => await releaseLeases(db, engine, ids, await now(db)),
    get: async id => await findPrediction(db, id),
    list: async query => await listPredictions(db, query),
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

    putFile: async file => await writeFileRow(db, file),
    getFile: async id => await findFileRow(db, id),
    listFiles: async query => await listFileRows(db, query),
    async deleteFile(id) {
      await db.deleteFrom('files').where('id', '=', id).execute()
    },

    watch(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    now: async () => await now(db),
    close: async () => await db.destroy(),
  }
}
