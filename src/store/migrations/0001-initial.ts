import { sql } from 'kysely'
import type { Migration } from '../migrate.ts'
import type { Database } from '../schema.ts'

/** The first tables. Types are written so that SQLite's affinities and PostgreSQL's types agree. */
export const initial: Migration = {
  version: 1,
  async up(db: Database) {
    await db.schema
      .createTable('predictions')
      .addColumn('id', 'text', column => column.primaryKey())
      .addColumn('version', 'bigint', column => column.notNull())
      .addColumn('owner', 'text', column => column.notNull())
      .addColumn('model', 'text', column => column.notNull())
      .addColumn('status', 'text', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('next_at', 'bigint')
      .addColumn('lease_engine', 'text')
      .addColumn('lease_until', 'bigint')
      .addColumn('settled', 'integer', column => column.notNull())
      // Last, because it spills into overflow pages: whoever needs the columns before it never reads those.
      .addColumn('record', 'text', column => column.notNull())
      .execute()
    // Settled records have no next_at: what waits stays small however many have ended.
    await db.schema
      .createIndex('predictions_due')
      .on('predictions')
      .column('next_at')
      .where(sql.ref('next_at'), 'is not', null)
      .execute()
    await db.schema
      .createIndex('predictions_leased')
      .on('predictions')
      .columns(['lease_engine', 'lease_until'])
      .where(sql.ref('lease_engine'), 'is not', null)
      .execute()
    await db.schema.createIndex('predictions_newest').on('predictions').columns(['created_at', 'id']).execute()
    await db.schema
      .createIndex('predictions_newest_of_owner')
      .on('predictions')
      .columns(['owner', 'created_at', 'id'])
      .execute()

    await db.schema
      .createTable('attempts')
      .addColumn('id', 'text', column => column.primaryKey())
      .addColumn('prediction_id', 'text', column => column.notNull().references('predictions.id').onDelete('cascade'))
      .addColumn('deployment', 'text', column => column.notNull())
      .addColumn('number', 'integer', column => column.notNull())
      .addColumn('state', 'text', column => column.notNull())
      .addColumn('live', 'integer', column => column.notNull())
      .addColumn('planned_at', 'bigint', column => column.notNull())
      .addColumn('submitted_at', 'bigint')
      .addColumn('booting_at', 'bigint')
      .addColumn('running_at', 'bigint')
      .addColumn('collecting_at', 'bigint')
      .addColumn('ended_at', 'bigint')
      .addColumn('failure_code', 'text')
      .addColumn('restarts', 'integer', column => column.notNull())
      .addColumn('closed_until', 'bigint')
      .addColumn('reserved', 'double precision', column => column.notNull())
      .addColumn('cost', 'double precision')
      .execute()
    await db.schema.createIndex('attempts_of_prediction').on('attempts').column('prediction_id').execute()
    await db.schema
      .createIndex('attempts_live')
      .on('attempts')
      .columns(['deployment', 'prediction_id', 'reserved'])
      .where(sql.ref('live'), '=', sql.lit(1))
      .execute()
    await db.schema.createIndex('attempts_newest').on('attempts').columns(['deployment', 'planned_at']).execute()
    await db.schema.createIndex('attempts_submitted').on('attempts').columns(['submitted_at', 'deployment']).execute()

    await db.schema
      .createTable('deliveries')
      .addColumn('key', 'text', column => column.primaryKey())
      .addColumn('seen_at', 'bigint', column => column.notNull())
      .execute()
    await db.schema.createIndex('deliveries_seen').on('deliveries').column('seen_at').execute()

    await db.schema
      .createTable('secrets')
      .addColumn('name', 'text', column => column.primaryKey())
      .addColumn('value', 'text', column => column.notNull())
      .execute()

    await db.schema
      .createTable('files')
      .addColumn('id', 'text', column => column.primaryKey())
      .addColumn('owner', 'text', column => column.notNull())
      .addColumn('key', 'text', column => column.notNull())
      .addColumn('name', 'text', column => column.notNull())
      .addColumn('media_type', 'text', column => column.notNull())
      .addColumn('bytes', 'bigint', column => column.notNull())
      .addColumn('sha256', 'text', column => column.notNull())
      .addColumn('metadata', 'text', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('expires_at', 'bigint')
      .execute()
    await db.schema.createIndex('files_newest_of_owner').on('files').columns(['owner', 'created_at', 'id']).execute()
  },
}
