import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../test/support/postgres.ts'
import { openPostgresStore } from '../store/postgres.ts'
import { inspectDatabase } from './database.ts'

let server: PostgresServer
let admin: pg.Pool

beforeAll(async () => {
  server = await startPostgres({ durable: true })
  admin = new pg.Pool({ connectionString: server.url })
  admin.on('error', () => {})
})
afterAll(async () => {
  await admin.end()
  await server.close()
})

async function look(url = server.url, now = Date.now) {
  const findings = await inspectDatabase(url, now)
  return findings.map(({ level, code, message }) => `${level} ${code}: ${message}`)
}

test('a database that nobody has used yet is well, and nothing is made there', async () => {
  expect(await look()).toEqual([
    expect.stringMatching(/^ok database: PostgreSQL \d+/),
    expect.stringContaining('ok database-schema: There are no tables yet'),
    'ok database-listen: Notifications (LISTEN) come through.',
  ])
  const { rows } = await admin.query("select from pg_namespace where nspname = 'surefoot'")
  expect(rows).toEqual([])
})

test('tables of this release are well, those of a newer one are a problem', async () => {
  const store = await openPostgresStore({ url: server.url })
  await store.close()
  onTestFinished(async () => void (await admin.query('drop schema surefoot cascade')))
  expect(await look()).toContainEqual(
    expect.stringContaining('ok database-schema: The tables are those of this release'),
  )
  await admin.query('update surefoot.schema_version set version = version - 1')
  expect(await look()).toContainEqual(expect.stringContaining('ok database-schema: The tables are of version'))
  await admin.query('update surefoot.schema_version set version = 999')
  expect(await look()).toContainEqual(expect.stringContaining('problem database-schema: The tables are of version 999'))
})

test('one that does not wait for its disk is a warning', async () => {
  await admin.query('alter database postgres set synchronous_commit = off')
  onTestFinished(async () => void (await admin.query('alter database postgres reset synchronous_commit')))
  expect(await look()).toContainEqual(
    expect.stringMatching(/^warning database-durability: .*synchronous_commit off\): what a crash takes/),
  )
})

test('a clock that differs is a warning', async () => {
  const said = await look(server.url, () => Date.now() - 60_000)
  expect(said).toContainEqual(expect.stringMatching(/^warning database-clock: .* is 60 s ahead of this machine/))
  expect((await look()).join()).not.toContain('database-clock')
})

test('few free connections are a warning', async () => {
  const { rows } = await admin.query<{ most: number }>(
    `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most`,
  )
  const many = new pg.Pool({ connectionString: server.url, max: (rows[0]?.most ?? 0) - 6 })
  many.on('error', () => {})
  onTestFinished(() => many.end())
  const clients = await Promise.all(Array.from({ length: (rows[0]?.most ?? 0) - 6 }, () => many.connect()))
  expect(await look()).toContainEqual(
    expect.stringMatching(/^warning database-connections: \d of \d+ connections are free/),
  )
  for (const client of clients) client.release()
})

test('one that is not there, or has no such database, is a problem', async () => {
  expect(await look('postgres://nobody@127.0.0.1:1/none')).toEqual([
    expect.stringMatching(/^problem database: PostgreSQL is not available/),
  ])
  expect(await look(server.url.replace(/\/postgres$/, '/missing'))).toEqual([
    expect.stringMatching(/^problem database: PostgreSQL refuses: .*missing/),
  ])
})

test('a user who may make nothing is told so', async () => {
  await admin.query('create role reader login')
  onTestFinished(async () => void (await admin.query('drop role reader')))
  const url = server.url.replace('surefoot@', 'reader@')
  expect(await look(url)).toContainEqual(expect.stringMatching(/^problem database-schema: .*may not make a schema/))
})
