import { sql } from 'kysely'
import type { Migration } from '../migrate.ts'

/** What is kept, how large it is, and until when files are needed. */
export const retention: Migration = {
  version: 4,
  async up(db) {
    await db.schema.alterTable('predictions').addColumn('kept_bytes', 'bigint').execute()
    // Sizes of what had ended before are not known here; its age is.
    await db.updateTable('predictions').set({ kept_bytes: 0 }).where('settled', '=', 1).execute()
    await db.schema
      .createIndex('predictions_kept')
      .on('predictions')
      .columns(['created_at', 'kept_bytes'])
      .where(sql.ref('kept_bytes'), 'is not', null)
      .execute()
    await db.schema
      .alterTable('files')
      .addColumn('needed_until', 'bigint', column => column.notNull().defaultTo(0))
      .execute()
    await db.schema.createIndex('files_oldest').on('files').columns(['created_at', 'needed_until']).execute()
  },
}
