import type { Kysely } from 'kysely'
import { createFailure, SurefootError } from '../core/failure.ts'
import { initial } from './migrations/0001-initial.ts'
import { fileDigests } from './migrations/0002-file-digests.ts'
import { modelMigrations } from './migrations/0003-model-migrations.ts'
import { retention } from './migrations/0004-retention.ts'
import { tokens } from './migrations/0005-tokens.ts'
import { webhooks } from './migrations/0006-webhooks.ts'
import { pendingFiles } from './migrations/0007-pending-files.ts'
import type { Database, Schema } from './schema.ts'

/** One step of the schema. `up` runs once, inside the transaction that also records `version`. */
export interface Migration {
  /** 1, 2, 3, ... without gaps. */
  readonly version: number
  up(db: Database): Promise<void>
}

/** Every migration, oldest first. Released ones never change; a new schema is a new entry. */
export const migrations: readonly Migration[] = [
  initial,
  fileDigests,
  modelMigrations,
  retention,
  tokens,
  webhooks,
  pendingFiles,
]

/**
 * Brings a database to the newest schema: all missing steps in one transaction, so that it is either old or new. Doing
 * nothing when it is up to date. `enter` is called first in that transaction, to keep other processes out. Refuses a database that a newer release has migrated: its rows may mean things that
 * this code does not know.
 */
export async function migrate(
  db: Kysely<Schema>,
  steps: readonly Migration[] = migrations,
  enter: (db: Database) => Promise<void> = async () => {},
): Promise<{ readonly from: number; readonly to: number }> {
  const newest = steps.at(-1)?.version ?? 0
  return await db.transaction().execute(async transaction => {
    await enter(transaction)
    await transaction.schema
      .createTable('schema_version')
      .ifNotExists()
      .addColumn('version', 'integer', column => column.notNull())
      .execute()
    const row = await transaction.selectFrom('schema_version').select('version').executeTakeFirst()
    const from = row?.version ?? 0
    if (from > newest) {
      const message = `The database has schema version ${from}, but this release of Surefoot knows versions up to ${newest}.`
      const advice = 'Run the newer release that wrote this database, or use another data folder.'
      throw new SurefootError(createFailure('input_invalid', message, { fault: 'config', advice }))
    }
    for (const step of steps) if (step.version > from) await step.up(transaction)
    if (row === undefined) await transaction.insertInto('schema_version').values({ version: newest }).execute()
    else if (from < newest) await transaction.updateTable('schema_version').set({ version: newest }).execute()
    return { from, to: newest }
  })
}
