import type { Insertable, Selectable } from 'kysely'
import { refuseFull } from '../core/file-limits.ts'
import type { FileRow, PendingFile } from './contract.ts'
import type { StoreDialect } from './dialect.ts'
import { writeFileRow } from './file-rows.ts'
import type { Database, PendingFilesTable } from './schema.ts'

type Clock = Pick<StoreDialect, 'now'>

/**
 * What an owner keeps, all seen at one moment: its files, those that share a key once, and its places that are not over. A place
 * whose file was deleted, or has the bytes of another, counts like one that never had one: by its link as many may come again.
 */
export async function sumStored(db: Database, dialect: Clock, owner: string): Promise<number> {
  const files = db
    .selectFrom('files')
    .select(({ fn }) => fn.max('bytes').as('bytes'))
    .where('owner', '=', owner)
    .groupBy('key')
  const places = db
    .selectFrom('pending_files')
    .select(({ ref }) => ref('bytes').as('bytes'))
    .where('owner', '=', owner)
    .where('expires_at', '>', dialect.now())
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('files')
            .select('files.id')
            .whereRef('files.id', '=', 'pending_files.id')
            .whereRef('files.key', '=', 'pending_files.key'),
        ),
      ),
    )
  const { bytes } = await db
    .selectFrom(files.unionAll(places).as('kept'))
    .select(({ fn }) => fn.sum<number | string | null>('bytes').as('bytes'))
    .executeTakeFirstOrThrow()
  return Number(bytes ?? 0)
}

/** Refuses what has just been written, which undoes its transaction, where its owner keeps too much with it. */
export async function checkStored(db: Database, dialect: Clock, owner: string, storedBytes: number): Promise<void> {
  if ((await sumStored(db, dialect, owner)) > storedBytes) refuseFull(storedBytes)
}

/** Adds a place; ids are never used twice. */
export async function addPendingRow(db: Database, place: PendingFile): Promise<void> {
  await db.insertInto('pending_files').values(toRow(place)).execute()
}

/** One place by id; null where it has become a file, or is over. */
export async function findPendingRow(db: Database, dialect: Clock, id: string): Promise<PendingFile | null> {
  const row = await db
    .selectFrom('pending_files')
    .selectAll()
    .where('id', '=', id)
    .where('taken', '=', 0)
    .where('expires_at', '>', dialect.now())
    .executeTakeFirst()
  return row === undefined ? null : fromRow(row)
}

/** Makes the file of its place; in a transaction. Null where that was done before, or it is over. */
export async function takePendingRow(db: Database, dialect: Clock, file: FileRow): Promise<FileRow | null> {
  const { numUpdatedRows } = await db
    .updateTable('pending_files')
    .set({ taken: 1, key: file.key })
    .where('id', '=', file.id)
    .where('taken', '=', 0)
    .where('expires_at', '>', dialect.now())
    .executeTakeFirst()
  return numUpdatedRows === 1n ? await writeFileRow(db, file) : null
}

/** Places that were over before then, oldest first. */
export async function oldestPendingRows(
  db: Database,
  { before, limit }: { readonly before: number; readonly limit: number },
): Promise<PendingFile[]> {
  const rows = await db
    .selectFrom('pending_files')
    .selectAll()
    .where('expires_at', '<', before)
    .orderBy('expires_at')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(fromRow)
}

/** Deletes a place; in a transaction. Answers its key where no file has it. */
export async function deletePendingRow(db: Database, id: string): Promise<string | null> {
  const deleted = await db.deleteFrom('pending_files').where('id', '=', id).returning('key').executeTakeFirst()
  if (deleted === undefined) return null
  const user = await db.selectFrom('files').select('id').where('key', '=', deleted.key).limit(1).executeTakeFirst()
  return user === undefined ? deleted.key : null
}

function toRow({ mediaType, expiresAt, ...same }: PendingFile): Insertable<PendingFilesTable> {
  return { ...same, media_type: mediaType, expires_at: expiresAt }
}

function fromRow({ media_type, expires_at, taken: _, ...same }: Selectable<PendingFilesTable>): PendingFile {
  return { ...same, mediaType: media_type, expiresAt: expires_at }
}
