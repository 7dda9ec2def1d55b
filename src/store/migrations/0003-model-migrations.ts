import type { Migration } from '../migrate.ts'
import type { Database } from '../schema.ts'

/** Where the traffic of each model stands between two deployments. */
export const modelMigrations: Migration = {
  version: 3,
  async up(db: Database) {
    await db.schema
      .createTable('model_migrations')
      .addColumn('model', 'text', column => column.primaryKey())
      .addColumn('version', 'bigint', column => column.notNull())
      .addColumn('state', 'text', column => column.notNull())
      .execute()
  },
}
