import { execFile } from 'node:child_process'
import { inspect, promisify } from 'node:util'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type PostgresServer, startPostgres } from '../../test/support/postgres.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import { describeStore } from '../testing/describe-store.ts'
import { sampleAttempt, sampleChange, samplePrediction } from '../testing/sample-records.ts'
import type { Quota, StoredPrediction } from './contract.ts'
import { openPostgresStore } from './postgres.ts'
import { loadPostgresDriver } from './postgres-driver.ts'

let server: PostgresServer
let admin: pg.Pool
let schemas = 0

beforeAll(async () => {
  server = await startPostgres()
  admin = new pg.Pool({ connectionString: server.url })
  admin.on('error', () => {})
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

/** Stores of several processes on one schema. */
async function openTogether(count: number) {
  const schema = `store_${++schemas}`
  const open = () => openPostgresStore({ url: server.url, schema })
  const stores = await Promise.all(Array.from({ length: count }, open))
  onTestFinished(async () => {
    await Promise.all(stores.map(store => store.close()))
    await admin.query(`drop schema ${schema} cascade`)
  })
  return { schema, stores, open }
}

const idsOf = (rows: readonly StoredPrediction[]) => rows.map(row => row.record.id)
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `p${index}`)

describe('several processes on one database', () => {
  it('make the tables once, however many open at the same time', async () => {
    const { stores } = await openTogether(6)
    const [secret, ...others] = await Promise.all(stores.map(store => store.secret('links')))
    expect(new Set(others)).toEqual(new Set([secret]))
  })

  it('never lease the same record, nor more than they asked for', async () => {
    const { stores } = await openTogether(4)
    const ids = numbered(400)
    await stores[0]?.commit(ids.map(id => sampleChange(samplePrediction({ id }))))
    const leased: string[] = []
    await Promise.all(
      stores.map(async (store, index) => {
        for (;;) {
          const rows = await store.lease({ engine: `engine${index}`, leaseMs: 60_000, limit: 7 })
          expect(rows.length).toBeLessThanOrEqual(7)
          if (rows.length === 0) return
          leased.push(...idsOf(rows))
        }
      }),
    )
    // Who finds nothing may only have found nothing free: the last ones out leave nothing behind.
    leased.push(...idsOf((await stores[0]?.lease({ engine: 'last', leaseMs: 60_000, limit: 400 })) ?? []))
    expect(leased.toSorted()).toEqual(ids.toSorted())
  })

  it('pass over a record that somebody is changing, and do not wait for it longer than they may', async () => {
    const { schema, stores } = await openTogether(1)
    const [store] = stores
    await store?.commit(['a', 'b'].map(id => sampleChange(samplePrediction({ id }))))
    const frozen = await admin.connect()
    await frozen.query('begin')
    await frozen.query(`select from ${schema}.predictions where id = 'a' for update`)
    expect(idsOf((await store?.lease({ engine: 'one', leaseMs: 60_000, limit: 10 })) ?? [])).toEqual(['b'])
    await expect(store?.commit([sampleChange(samplePrediction({ id: 'a' }), { version: 1 })])).rejects.toMatchObject({
      status: 503,
      failure: { code: 'internal', fault: 'config', retryAfterMs: 1_000 },
    })
    await frozen.query('rollback')
    frozen.release()
    expect(await store?.commit([sampleChange(samplePrediction({ id: 'a' }), { version: 1 })])).toEqual(['committed'])
  })

  it('share the places of a deployment', async () => {
    const { stores } = await openTogether(3)
    const outcomes = await Promise.all(
      numbered(30).map((id, index) => {
        const record = samplePrediction({ id, attempts: [sampleAttempt({ id: `${id}a`, deployment: 'sharp@runpod' })] })
        const reservations = ['sharp@modal', 'sharp@runpod'].map(deployment => ({
          deployment,
          concurrency: 7,
          startsPerMinute: null,
          budget: null,
        }))
        if (index % 2 === 0) reservations.reverse()
        return stores[index % 3]?.commit([sampleChange(record, { reservations })])
      }),
    )
    expect(outcomes.flat().filter(outcome => outcome === 'committed')).toHaveLength(7)
    expect(outcomes.flat().filter(outcome => outcome === 'refused')).toHaveLength(23)
  })

  it('insert a prediction once, however many make it at the same moment', async () => {
    const { stores } = await openTogether(3)
    for (const id of numbered(10)) {
      const quota: Quota = { live: 100, budget: null }
      const outcomes = await Promise.all(
        numbered(12).map((owner, index) => {
          const more = index % 2 === 0 ? { quota } : {}
          return stores[index % 3]?.commit([sampleChange(samplePrediction({ id, owner }), more)])
        }),
      )
      expect(outcomes.flat().toSorted()).toEqual(['committed', ...Array(11).fill('conflict')])
    }
  })

  it('share the quota of an owner', async () => {
    const { stores } = await openTogether(3)
    const asked = (kind: string, change: Partial<PredictionRecord>, quota: Quota) =>
      Promise.all(
        numbered(30).map((id, index) => {
          const record = samplePrediction({ id: `${kind}${id}`, owner: kind, ...change })
          return stores[index % 3]?.commit([sampleChange(record, { quota })])
        }),
      )
    const live = (await asked('live', {}, { live: 4, budget: null })).flat()
    const dear = (await asked('dear', { allowance: 0.4 }, { live: null, budget: { since: 0, limit: 1 } })).flat()
    expect(live.toSorted()).toEqual([...Array(4).fill('committed'), ...Array(26).fill('too_many')])
    expect(dear.toSorted()).toEqual([...Array(2).fill('committed'), ...Array(28).fill('too_dear')])
  })

  it('write the same records in any order without standing in each other’s way', async () => {
    const { stores } = await openTogether(2)
    const records = numbered(20).map(id => samplePrediction({ id }))
    await stores[0]?.commit(records.map(record => sampleChange(record)))
    for (let version = 1; version <= 10; version++) {
      const changes = records.map(record => sampleChange(record, { version }))
      const [one = [], two = []] = await Promise.all([
        stores[0]?.commit(changes),
        stores[1]?.commit(changes.toReversed()),
      ])
      const both = one.map((outcome, index) => [outcome, two.at(-1 - index)].toSorted())
      expect(both).toEqual(records.map(() => ['committed', 'conflict']))
    }
  })

  it('hear of each other’s commits, and of their own once', async () => {
    const { stores } = await openTogether(2)
    const heard: string[][] = [[], []]
    for (const [index, store] of stores.entries())
      store.watch(({ id, version }) => heard[index]?.push(`${id} ${version}`))
    // More than fit into one announcement of PostgreSQL.
    const ids = numbered(600)
    const expected = ids.map(id => `${id} 1`)
    await stores[0]?.commit(ids.map(id => sampleChange(samplePrediction({ id }))))
    await expect.poll(() => heard[1]?.length, { timeout: 10_000 }).toBe(600)
    await stores[1]?.commit([sampleChange(samplePrediction({ id: 'p0' }), { version: 1 })])
    await expect.poll(() => heard[0]?.length, { timeout: 10_000 }).toBe(601)
    expect(heard).toEqual([
      [...expected, 'p0 2'],
      [...expected, 'p0 2'],
    ])
  })
})

it('lets a process that listened and closes come to its own end', async () => {
  const { schema } = await openTogether(1)
  const program = `
    import { openPostgresStore } from '${new URL('postgres.ts', import.meta.url)}'
    import { sampleChange, samplePrediction } from '${new URL('../testing/sample-records.ts', import.meta.url)}'
    const options = ${JSON.stringify({ url: server.url, schema })}
    const [listening, writing] = [await openPostgresStore(options), await openPostgresStore(options)]
    let heard = false
    listening.watch(() => { heard = true })
    for (let index = 0; !heard; index++) await writing.commit([sampleChange(samplePrediction({ id: 'p' + index }))])
    await writing.close()
    await listening.close()
    process.stdout.write('closed')`
  // Rejects unless it exits with 0; 13 is a top-level await that nothing would ever settle.
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  expect(stdout).toBe('closed')
})

describe('a database in trouble', () => {
  it('repeats a transaction that the database undid', async () => {
    const { schema, stores } = await openTogether(1)
    await stores[0]?.commit([sampleChange(samplePrediction({ id: 'a' }))])
    await admin.query(`
      create sequence ${schema}.tries;
      create function ${schema}.fail_first() returns trigger language plpgsql as $$ begin
        if nextval('${schema}.tries') < 3 then raise exception 'not now' using errcode = '40001'; end if;
        return new;
      end $$;
      create trigger fail_first before update on ${schema}.predictions
        for each row execute function ${schema}.fail_first()`)
    expect(await stores[0]?.commit([sampleChange(samplePrediction({ id: 'a' }), { version: 1 })])).toEqual([
      'committed',
    ])
  })

  it.each(['fast', 'crash'] as const)('fails each call at once while it is away (%s), and goes on after', async how => {
    const { stores } = await openTogether(2)
    const [one, two] = stores
    const record = samplePrediction({ id: 'a' })
    await one?.commit([sampleChange(record)])
    await server.stop(how)
    const away = { status: 503, failure: { code: 'internal', fault: 'config', retryAfterMs: 1_000 } }
    const calls = numbered(20).map(id => one?.commit([sampleChange(samplePrediction({ id }))]))
    const answers = await Promise.allSettled([...calls, one?.get('a'), one?.renew('one', 15_000), two?.now()])
    expect(answers).toMatchObject(answers.map(() => ({ status: 'rejected', reason: away })))
    await server.start()
    expect(await one?.get('a')).toMatchObject({ version: 1 })

    // The listening connection comes back by itself, a little later than the first call that needs one.
    let version = 1
    const heard: number[] = []
    two?.watch(change => heard.push(change.version))
    await expect
      .poll(
        async () => {
          await one?.commit([sampleChange(record, { version: version++ })])
          return heard.length
        },
        { timeout: 20_000, interval: 100 },
      )
      .toBeGreaterThan(0)
  })

  it('trusts no connection that has outlived its own idle time, as it does in a process that was frozen', async () => {
    const { stores } = await openTogether(1)
    const [store] = stores
    const backends = async () => {
      await store?.now()
      const query = "select pid from pg_stat_activity where application_name = 'surefoot' and state = 'idle'"
      return (await admin.query(query)).rows.map(({ pid }) => pid)
    }
    const [before] = await backends()
    expect(await backends()).toContain(before)
    const later = Date.now() + 60_000
    vi.spyOn(Date, 'now').mockReturnValue(later)
    onTestFinished(() => void vi.restoreAllMocks())
    await expect.poll(backends, { timeout: 10_000 }).not.toContain(before)
  })

  it('refuses the database of a newer release', async () => {
    const { schema, open } = await openTogether(1)
    await admin.query(`update ${schema}.schema_version set version = version + 1`)
    await expect(open()).rejects.toMatchObject({ failure: { code: 'input_invalid', fault: 'config' } })
  })

  it('says what is wrong with the URL, without the password', async () => {
    const missing = server.url.replace('surefoot@', 'surefoot:hunter2@').replace(/postgres$/, 'nowhere')
    const error = await openPostgresStore({ url: missing }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ status: 503, failure: { fault: 'config' } })
    expect(String(error)).toContain('database "nowhere" does not exist')
    expect(inspect(error)).not.toContain('hunter2')
    const nobody = openPostgresStore({ url: 'postgres://surefoot:hunter2@127.0.0.1:1/postgres' })
    await expect(nobody).rejects.toMatchObject({ status: 503, failure: { fault: 'config' } })
    await expect(openPostgresStore({ url: server.url, schema: 'a; b' })).rejects.toMatchObject({
      failure: { code: 'input_invalid', fault: 'config' },
    })
  })

  it('refuses a text that it cannot keep as a fault of the caller', async () => {
    const { stores } = await openTogether(1)
    await expect(stores[0]?.get('a\u0000')).rejects.toMatchObject({ failure: { code: 'input_invalid' } })
  })
})

it('says what to install where the driver is missing', async () => {
  const missing = Object.assign(new Error("Cannot find package 'pg'"), { code: 'ERR_MODULE_NOT_FOUND' })
  await expect(loadPostgresDriver(() => Promise.reject(missing))).rejects.toMatchObject({
    failure: { fault: 'config', advice: expect.stringContaining('npm install pg') },
  })
})
