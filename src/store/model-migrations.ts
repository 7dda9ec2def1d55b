import type { MigrationState } from '../core/migration.ts'
import type { StoredMigration } from './contract.ts'
import type { Database } from './schema.ts'

/** The model's migration as stored. */
export async function findMigration(db: Database, model: string): Promise<StoredMigration | null> {
  const row = await db.selectFrom('model_migrations').selectAll().where('model', '=', model).executeTakeFirst()
  return row === undefined ? null : { state: JSON.parse(row.state) as MigrationState, version: row.version }
}

/** Writes it where the stored version still is `version`; 0 inserts. One statement: of writers at one version one gets through. */
export async function writeMigration(
  db: Database,
  model: string,
  { state, version }: StoredMigration,
): Promise<boolean> {
  const changing = { version: version + 1, state: JSON.stringify(state) }
  if (version === 0) {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('model_migrations')
      .values({ model, ...changing })
      .onConflict(conflict => conflict.column('model').doNothing())
      .executeTakeFirst()
    return numInsertedOrUpdatedRows === 1n
  }
  const { numUpdatedRows } = await db
    .updateTable('model_migrations')
    .set(changing)
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}
