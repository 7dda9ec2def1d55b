import type { FileRow, StoredPrediction } from './contract.ts'
import { deleteFileRow, fromFileRow } from './file-rows.ts'
import { fromRow, stored } from './predictions.ts'
import type { Database } from './schema.ts'

/** Bytes of all outputs and files that are kept; those that files share count once. */
export async function sumKept(db: Database): Promise<number> {
  const outputs = await db
    .selectFrom('predictions')
    .select(({ fn }) => fn.sum<number | string | null>('kept_bytes').as('bytes'))
    .where('kept_bytes', 'is not', null)
    .executeTakeFirstOrThrow()
  const files = await db
    .selectFrom(
      db
        .selectFrom('files')
        .select(({ fn }) => fn.max('bytes').as('bytes'))
        .groupBy('key')
        .as('once'),
    )
    .select(({ fn }) => fn.sum<number | string | null>('bytes').as('bytes'))
    .executeTakeFirstOrThrow()
  return Number(outputs.bytes ?? 0) + Number(files.bytes ?? 0)
}

/** Settled predictions whose input and output are kept, oldest first. */
export async function oldestKept(
  db: Database,
  {
    before,
    limit,
    withOutput = false,
  }: { readonly before: number; readonly limit: number; readonly withOutput?: boolean },
): Promise<StoredPrediction[]> {
  const rows = await db
    .selectFrom('predictions')
    .select(stored)
    .where('kept_bytes', 'is not', null)
    .where('kept_bytes', '>=', withOutput ? 1 : 0)
    .where('created_at', '<', before)
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(fromRow)
}

/** Files that nothing needs at that moment, oldest first. */
export async function oldestFiles(
  db: Database,
  { before, limit, now }: { readonly before: number; readonly limit: number; readonly now: number },
): Promise<FileRow[]> {
  const rows = await db
    .selectFrom('files')
    .selectAll()
    .where('created_at', '<', before)
    .where('needed_until', '<', now)
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(fromFileRow)
}

/** Keeps a file at least until then; false where it is gone. */
export async function holdFile(db: Database, id: string, until: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('files')
    .set(({ eb, ref, val }) => ({
      needed_until: eb.case().when('needed_until', '<', until).then(val(until)).else(ref('needed_until')).end(),
    }))
    .where('id', '=', id)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Deletes a file unless something needs it by now, or it is gone (null); in a transaction. */
export async function deleteUnneeded(
  db: Database,
  id: string,
  now: number,
): Promise<{ readonly freed: string | null } | null> {
  // Changed to what it is: whoever wants to hold it has to wait for our end, and then finds nothing.
  const { numUpdatedRows } = await db
    .updateTable('files')
    .set(({ ref }) => ({ needed_until: ref('needed_until') }))
    .where('id', '=', id)
    .where('needed_until', '<', now)
    .executeTakeFirst()
  return numUpdatedRows === 1n ? { freed: await deleteFileRow(db, id) } : null
}
