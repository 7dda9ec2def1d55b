import type { Insertable, Selectable } from 'kysely'
import { refuse } from '../core/failure.ts'
import type { FileRow } from './contract.ts'
import type { Database, FilesTable } from './schema.ts'

/**
 * Adds a file, or replaces the one with its id; in a transaction. Where the owner has the same bytes, the row shares their
 * key: changing that other row, to what it is, keeps it from being deleted meanwhile.
 */
export async function writeFileRow(db: Database, file: FileRow): Promise<FileRow> {
  const twin = await db
    .updateTable('files')
    .set(({ ref }) => ({ sha256: ref('sha256') }))
    .where('id', '=', ({ selectFrom }) =>
      selectFrom('files')
        .select('id')
        .where('owner', '=', file.owner)
        .where('sha256', '=', file.sha256)
        .where('id', '!=', file.id)
        .orderBy('id')
        .limit(1),
    )
    .returning('key')
    .executeTakeFirst()
  const stored = { ...file, key: twin?.key ?? file.key }
  const { id, ...rest } = toRow(stored)
  await db
    .insertInto('files')
    .values({ id, ...rest })
    .onConflict(conflict => conflict.column('id').doUpdateSet(rest))
    .execute()
  return stored
}

/** Deletes a file; in a transaction. Answers its key where no other file shares it. */
export async function deleteFileRow(db: Database, id: string): Promise<string | null> {
  const deleted = await db.deleteFrom('files').where('id', '=', id).returning('key').executeTakeFirst()
  if (deleted === undefined) return null
  const other = await db.selectFrom('files').select('id').where('key', '=', deleted.key).limit(1).executeTakeFirst()
  return other === undefined ? deleted.key : null
}

/** One file by id. */
export async function findFileRow(db: Database, id: string): Promise<FileRow | null> {
  const row = await db.selectFrom('files').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? null : fromFileRow(row)
}

/** An owner's files, newest first, those after the file `after`. Refuses a cursor that is not (or no longer) a file of the owner. */
export async function listFileRows(
  db: Database,
  query: { owner: string; limit: number; after?: string },
): Promise<FileRow[]> {
  let select = db.selectFrom('files').selectAll().where('owner', '=', query.owner)
  if (query.after !== undefined) {
    const cursor = await findFileRow(db, query.after)
    if (cursor === null || cursor.owner !== query.owner)
      refuse('input_invalid', 'The file that this page starts after does not exist.', {
        advice: 'List from the beginning.',
      })
    select = select.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('created_at', 'id'), '<', tuple(cursor.createdAt, cursor.id)),
    )
  }
  const rows = await select.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(query.limit).execute()
  return rows.map(fromFileRow)
}

function toRow(file: FileRow): Insertable<FilesTable> {
  const { mediaType, createdAt, expiresAt, ...same } = file
  return { ...same, media_type: mediaType, created_at: createdAt, expires_at: expiresAt }
}

/** A row as callers know it. */
export function fromFileRow(row: Selectable<FilesTable>): FileRow {
  const { media_type, created_at, expires_at, needed_until, ...same } = row
  return { ...same, mediaType: media_type, createdAt: created_at, expiresAt: expires_at }
}
