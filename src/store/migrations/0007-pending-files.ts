import type { Migration } from '../migrate.ts'

/** Places for files that are going to be uploaded, and what each caller may keep. */
export const pendingFiles: Migration = {
  version: 7,
  async up(db) {
    await db.schema
      .createTable('pending_files')
      .addColumn('id', 'text', column => column.primaryKey())
      .addColumn('owner', 'text', column => column.notNull())
      .addColumn('key', 'text', column => column.notNull())
      .addColumn('name', 'text', column => column.notNull())
      .addColumn('media_type', 'text', column => column.notNull())
      .addColumn('bytes', 'bigint', column => column.notNull())
      .addColumn('metadata', 'text', column => column.notNull())
      .addColumn('expires_at', 'bigint', column => column.notNull())
      .addColumn('taken', 'integer', column => column.notNull().defaultTo(0))
      .execute()
    await db.schema.createIndex('pending_files_over').on('pending_files').column('expires_at').execute()
    await db.schema.createIndex('pending_files_of_owner').on('pending_files').columns(['owner', 'taken']).execute()
    // What an owner keeps is summed from the index alone.
    await db.schema.createIndex('files_of_owner_by_key').on('files').columns(['owner', 'key', 'bytes']).execute()
    await db.schema.alterTable('tokens').addColumn('file_bytes', 'bigint').execute()
    await db.schema.alterTable('tokens').addColumn('stored_bytes', 'bigint').execute()
  },
}
