import { refuse } from '../core/failure.ts'
import type { FileRow } from './contract.ts'
import type { Database, FilesTable } from './schema.ts'

/** Adds a file, or replaces the one with its id. */
export async function writeFileRow(db: Database, file: FileRow): Promise<void> {
  const { id, ...rest } = toRow(file)
  await db
    .insertInto('files')
    .values({ id, ...rest })
    .onConflict(conflict => conflict.column('id').doUpdateSet(rest))
    .execute()
}

/** One file by id. */
export async function findFileRow(db: Database, id: string): Promise<FileRow | null> {
  const row = await db.selectFrom('files').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? null : fromRow(row)
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
  return rows.map(fromRow)
}

function toRow(file: FileRow): FilesTable {
  const { mediaType, createdAt, expiresAt, ...same } = file
  return { ...same, media_type: mediaType, created_at: createdAt, expires_at: expiresAt }
}

function fromRow(row: FilesTable): FileRow {
  const { media_type, created_at, expires_at, ...same } = row
  return { ...same, mediaType: media_type, createdAt: created_at, expiresAt: expires_at }
}
