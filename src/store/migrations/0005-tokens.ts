import { sql } from 'kysely'
import type { Migration } from '../migrate.ts'

/** Who may call, and what each caller has of its quota. */
export const tokens: Migration = {
  version: 5,
  async up(db) {
    await db.schema
      .createTable('tokens')
      .addColumn('id', 'text', column => column.primaryKey())
      .addColumn('name', 'text', column => column.notNull())
      .addColumn('digest', 'text', column => column.notNull())
      .addColumn('scopes', 'text', column => column.notNull())
      .addColumn('requests_per_minute', 'integer')
      .addColumn('concurrency', 'integer')
      .addColumn('budget_per_day', 'double precision')
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('expires_at', 'bigint')
      .addColumn('revoked_at', 'bigint')
      .addColumn('last_used_at', 'bigint')
      .execute()
    await db.schema.alterTable('predictions').addColumn('charge', 'double precision').execute()
    await db.schema
      .createIndex('predictions_charged')
      .on('predictions')
      .columns(['owner', 'created_at', 'charge'])
      .where(sql.ref('charge'), 'is not', null)
      .execute()
    // What runs is little, however much has ended.
    await db.schema
      .createIndex('predictions_open')
      .on('predictions')
      .columns(['owner', 'status'])
      .where(sql.ref('settled'), '=', sql.lit(0))
      .execute()
  },
}
