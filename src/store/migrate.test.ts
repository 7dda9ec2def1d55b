import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { expect, it, onTestFinished } from 'vitest'
import { type Migration, migrate, migrations } from './migrate.ts'
import type { Schema } from './schema.ts'
import { createSqliteDialect } from './sqlite-dialect.ts'

function setup() {
  const database = new DatabaseSync(':memory:')
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(database) })
  onTestFinished(() => db.destroy())
  const tables = () =>
    database
      .prepare("select name from sqlite_schema where type = 'table' order by name")
      .all()
      .map(row => row.name)
  return { db, tables }
}

const second: Migration = {
  version: 2,
  up: async db => await db.schema.createTable('second').addColumn('id', 'text').execute(),
}
const broken: Migration = {
  version: 3,
  async up(db) {
    await db.schema.createTable('third').addColumn('id', 'text').execute()
    throw new Error('half way')
  },
}

it('numbers its migrations 1, 2, 3 without gaps', () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1))
})

it('builds an empty database and does nothing the second time', async () => {
  const { db, tables } = setup()
  expect(await migrate(db, [migrations[0] as Migration])).toEqual({ from: 0, to: 1 })
  expect(tables()).toEqual(['attempts', 'deliveries', 'files', 'predictions', 'schema_version', 'secrets'])
  expect(await migrate(db, [migrations[0] as Migration])).toEqual({ from: 1, to: 1 })
})

it('runs only the steps that a database lacks', async () => {
  const { db, tables } = setup()
  await migrate(db, [migrations[0] as Migration])
  expect(await migrate(db, [migrations[0] as Migration, second])).toEqual({ from: 1, to: 2 })
  expect(tables()).toContain('second')
})

it('leaves a database as it was when a step fails', async () => {
  const { db, tables } = setup()
  await migrate(db, [migrations[0] as Migration])
  const before = tables()
  await expect(migrate(db, [migrations[0] as Migration, second, broken])).rejects.toThrow('half way')
  expect(tables()).toEqual(before)
  expect(await migrate(db, [migrations[0] as Migration, second])).toEqual({ from: 1, to: 2 })
})

it('refuses a database that a newer release wrote, and says what to do', async () => {
  const { db, tables } = setup()
  await migrate(db, [migrations[0] as Migration, second])
  const before = tables()
  await expect(migrate(db, [migrations[0] as Migration])).rejects.toMatchObject({
    failure: {
      code: 'input_invalid',
      fault: 'config',
      message: 'The database has schema version 2, but this release of Surefoot knows versions up to 1.',
    },
  })
  expect(tables()).toEqual(before)
})
