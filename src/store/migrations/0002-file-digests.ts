import type { Migration } from '../migrate.ts'

/** Finds an owner's file by its bytes, so that the same ones are stored once. */
export const fileDigests: Migration = {
  version: 2,
  async up(db) {
    await db.schema.createIndex('files_of_owner_by_digest').on('files').columns(['owner', 'sha256', 'id']).execute()
    await db.schema.createIndex('files_by_key').on('files').column('key').execute()
  },
}
