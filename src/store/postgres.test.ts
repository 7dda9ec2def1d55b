import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { type PostgresServer, startPostgres } from '../../test/support/postgres.ts'
import { describeStore } from '../testing/describe-store.ts'
import { openPostgresStore } from './postgres.ts'

let server: PostgresServer
let admin: pg.Client
let schemas = 0

beforeAll(async () => {
  server = await startPostgres()
  admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  await admin.query('create table public.test_clock (schema text primary key, at bigint not null)')
})
afterAll(async () => {
  await admin.end()
  await server.close()
})

/** A fresh schema on a clock of its own that stands still. */
async function openStore() {
  const schema = `store_${++schemas}`
  await admin.query('insert into public.test_clock values ($1, $2)', [schema, Date.UTC(2026, 0, 1)])
  const now = sql<number>`(select at from public.test_clock where schema = ${sql.lit(schema)})`
  const store = await openPostgresStore({ url: server.url, schema, now: () => now })
  return {
    store,
    async advance(ms: number) {
      await admin.query('update public.test_clock set at = at + $2 where schema = $1', [schema, ms])
    },
    async close() {
      await store.close()
      await admin.query(`drop schema ${schema} cascade`)
    },
  }
}

describeStore('PostgreSQL', openStore)
