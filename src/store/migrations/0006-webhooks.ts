import { sql } from 'kysely'
import type { Migration } from '../migrate.ts'

/** How webhooks of predictions fare. */
export const webhooks: Migration = {
  version: 6,
  async up(db) {
    await db.schema.alterTable('predictions').addColumn('webhook', 'text').execute()
    // What went before is in the records only; those with dead ones must be found.
    await db.updateTable('predictions').set({ webhook: 'dead' }).where('record', 'like', '%"state":"dead"%').execute()
    await db.schema
      .createIndex('predictions_webhook')
      .on('predictions')
      .columns(['webhook', 'created_at', 'id'])
      .where(sql.ref('webhook'), 'is not', null)
      .execute()
  },
}
