import type { Selectable } from 'kysely'
import { type Scope, scopes, type Token } from '../core/token.ts'
import type { Database, TokensTable } from './schema.ts'

/** Adds a token; ids are never used twice. */
export async function addToken(db: Database, token: Token): Promise<void> {
  await db
    .insertInto('tokens')
    .values({
      id: token.id,
      name: token.name,
      digest: token.digest,
      scopes: token.scopes.join(' '),
      requests_per_minute: token.limits.requestsPerMinute,
      concurrency: token.limits.concurrency,
      budget_per_day: token.limits.budgetPerDay,
      file_bytes: token.limits.fileBytes,
      stored_bytes: token.limits.storedBytes,
      created_at: token.createdAt,
      expires_at: token.expiresAt,
      revoked_at: token.revokedAt,
      last_used_at: token.lastUsedAt,
    })
    .execute()
}

/** One token, whatever has become of it. */
export async function findToken(db: Database, id: string): Promise<Token | null> {
  const row = await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? null : fromRow(row)
}

/** All of them, newest first. */
export async function listTokens(db: Database): Promise<Token[]> {
  const rows = await db.selectFrom('tokens').selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc').execute()
  return rows.map(fromRow)
}

/** Ends a token for good. */
export async function revokeToken(db: Database, id: string, at: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('tokens')
    .set({ revoked_at: at })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Remembers when it was used. */
export async function noteTokenUse(db: Database, id: string, at: number): Promise<void> {
  await db.updateTable('tokens').set({ last_used_at: at }).where('id', '=', id).execute()
}

/** Whether any is there that was not revoked. */
export async function hasTokens(db: Database): Promise<boolean> {
  const row = await db.selectFrom('tokens').select('id').where('revoked_at', 'is', null).limit(1).executeTakeFirst()
  return row !== undefined
}

function fromRow(row: Selectable<TokensTable>): Token {
  return {
    id: row.id,
    name: row.name,
    digest: row.digest,
    // A scope of a newer release is none that this one may grant.
    scopes: row.scopes.split(' ').filter((scope): scope is Scope => (scopes as readonly string[]).includes(scope)),
    limits: {
      requestsPerMinute: row.requests_per_minute,
      concurrency: row.concurrency,
      budgetPerDay: row.budget_per_day,
      fileBytes: row.file_bytes,
      storedBytes: row.stored_bytes,
    },
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  }
}
