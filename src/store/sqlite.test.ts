import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describeStore } from '../testing/describe-store.ts'
import type { OpenedStore } from '../testing/opened-store.ts'
import { sampleAttempt, sampleChange, samplePrediction } from '../testing/sample-records.ts'
import type { Schema } from './schema.ts'
import { createSqliteDifferences, openSqliteStore } from './sqlite.ts'
import { createSqliteDialect } from './sqlite-dialect.ts'
import { createSqlStore } from './store.ts'

async function openAt(path: string, after: () => Promise<void>): Promise<OpenedStore> {
  let now = Date.UTC(2026, 0, 1)
  const store = await openSqliteStore({ path, now: () => now })
  return {
    store,
    async advance(ms) {
      now += ms
    },
    async close() {
      await store.close()
      await after()
    },
  }
}

async function createFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'surefoot-store-'))
}

async function setup() {
  const folder = await createFolder()
  onTestFinished(() => rm(folder, { recursive: true }))
  return { folder, path: join(folder, 'data', 'surefoot.db') }
}

describeStore('SQLite in memory', () => openAt(':memory:', async () => {}))
describeStore('SQLite on disk', async () => {
  const folder = await createFolder()
  return await openAt(join(folder, 'surefoot.db'), () => rm(folder, { recursive: true }))
})

describe('openSqliteStore', () => {
  it('makes a durable database that only its user can reach', async () => {
    const { path } = await setup()
    const store = await openSqliteStore({ path })
    await store.commit([sampleChange(samplePrediction({ id: 'a' }))])
    expect((await stat(dirname(path))).mode & 0o077).toBe(0)
    expect((await stat(`${path}-wal`)).size).toBeGreaterThan(0)
    await store.close()
    await store.close()
  })

  it('keeps its database from others in a folder that they can read, journals included', async () => {
    const { folder } = await setup()
    await chmod(folder, 0o755)
    const store = await openSqliteStore({ path: join(folder, 'surefoot.db') })
    for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o077).toBe(0)
    await store.close()
  })

  it.each([
    ['is no database', 0],
    ['has a damaged page', 4096],
  ])('says so when the file %s', async (_, at) => {
    const { path } = await setup()
    const store = await openSqliteStore({ path })
    await store.commit([sampleChange(samplePrediction({ id: 'a' }))])
    await store.close()
    const file = await readFile(path)
    await writeFile(path, file.fill(0x55, at, at === 0 ? 100 : file.length))
    const opened = openSqliteStore({ path }).then(damaged => damaged.get('a').finally(damaged.close))
    await expect(opened).rejects.toMatchObject({
      failure: { code: 'internal', message: expect.stringMatching(/damaged/) },
    })
  })

  it('finds everything again after it was closed', async () => {
    const { path } = await setup()
    const record = samplePrediction({ id: 'a', attempts: [sampleAttempt({ id: 'a1' })] })
    const first = await openSqliteStore({ path })
    await first.commit([sampleChange(record, { nextAt: 7 })])
    const secret = await first.secret('callbacks')
    await first.close()
    const second = await openSqliteStore({ path })
    expect(await second.get('a')).toEqual({ record, version: 1, nextAt: 7 })
    expect(await second.secret('callbacks')).toBe(secret)
    expect(await second.predictionOf('a1')).toBe('a')
    await second.close()
  })

  it('frees every record when a new owner voids the leases of earlier ones', async () => {
    const { path } = await setup()
    const first = await openSqliteStore({ path, now: () => 5_000 })
    await first.commit([
      sampleChange(samplePrediction({ id: 'a' }), { lease: { engine: 'killed', leaseMs: 15_000 } }),
      sampleChange(samplePrediction({ id: 'b' })),
    ])
    await first.close()
    const second = await openSqliteStore({ path, now: () => 5_001 })
    await second.voidLeases()
    const leased = await second.lease({ engine: 'next', leaseMs: 15_000, limit: 10 })
    expect(leased.map(row => row.record.id)).toEqual(['a', 'b'])
    await second.close()
  })

  it('refuses the database of a newer release and lets go of it', async () => {
    const { path } = await setup()
    await (await openSqliteStore({ path })).close()
    const newer = new DatabaseSync(path)
    newer.exec('update schema_version set version = version + 1')
    newer.close()
    await expect(openSqliteStore({ path })).rejects.toMatchObject({
      failure: { code: 'input_invalid', fault: 'config' },
    })
    // The last connection that closes takes the journal away.
    expect(await readdir(dirname(path))).toEqual(['surefoot.db'])
  })

  it('fails with storage_full when the database cannot grow, keeps what it had, and goes on when there is room', async () => {
    const { path } = await setup()
    const store = await openSqliteStore({ path })
    await store.commit([sampleChange(samplePrediction({ id: 'kept' }))])
    await store.close()

    // A page limit is a full disk as far as SQLite is concerned: the same code, at the same place.
    const database = new DatabaseSync(path)
    database.exec(`pragma max_page_count = ${database.prepare('pragma page_count').get()?.page_count}`)
    const db = new Kysely<Schema>({ dialect: createSqliteDialect(database) })
    const limited = createSqlStore({ db, dialect: createSqliteDifferences(() => 1_000) })
    const big = sampleChange(samplePrediction({ id: 'big', input: { text: 'x'.repeat(200_000) } }))
    await expect(limited.commit([big])).rejects.toMatchObject({ failure: { code: 'storage_full' }, status: 507 })
    expect(await limited.get('big')).toBe(null)
    expect(await limited.get('kept')).toMatchObject({ version: 1 })
    await limited.close()

    const roomy = await openSqliteStore({ path })
    expect(await roomy.commit([big])).toEqual(['committed'])
    await roomy.close()
  })
})
