import { type Dialect, PostgresDialect } from 'kysely'
import type * as Pg from 'pg'
import { createFailure, SurefootError } from '../core/failure.ts'
import { namePostgresError } from './postgres-failure.ts'

/**
 * How long things may take. Who is frozen in the middle of a transaction is thrown out before anybody who waits for its
 * locks gives up, and that before a lease of 15 s can lapse for want of a renewal.
 */
const idleInTransactionMs = 3_000
const lockMs = 4_000
const statementMs = 10_000
/** An answer that is later than this will not come: the connection is given up. */
const answerMs = 15_000
const connectMs = 5_000
const keepAliveMs = 5_000
/** After so long without use a connection is closed. */
const idleMs = 30_000
/** SQL's bigint. */
const bigintOid = 20

export interface PostgresConnectionOptions {
  /** `postgres://user:password@host:port/database`, with `pg`'s parameters, such as `sslmode`. */
  readonly url: string
  /** Where the tables are. */
  readonly schema: string
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string
}

/** The part of `pg` that we use, and which is only there where it was installed. */
export type PostgresDriver = Pick<typeof Pg, 'Client' | 'Pool' | 'types'>

/** Loads `pg`, an optional dependency. Fails with a `SurefootError` (fault `config`) that says what to install. */
export async function loadPostgresDriver(
  load: () => Promise<PostgresDriver> = () => import('pg'),
): Promise<PostgresDriver> {
  try {
    return await load()
  } catch (cause) {
    const failure = createFailure('input_invalid', 'A database URL is set, but the package "pg" is not installed.', {
      fault: 'config',
      advice: 'Install it beside surefoot: npm install pg@8',
    })
    throw new SurefootError(failure, { cause })
  }
}

/** Up to `connections` connections, opened when needed and replaced when broken; errors are `SurefootError`s where they can be. */
export function createPostgresDialect(
  driver: PostgresDriver,
  options: PostgresConnectionOptions & { readonly connections: number },
): Dialect {
  const pool = new driver.Pool({
    ...toClientConfig(driver, options),
    max: options.connections,
    idleTimeoutMillis: idleMs,
    allowExitOnIdle: true,
    // A promise for its end is waited for, whatever the type says.
    onConnect: client => prepareSession(client, options),
  })
  // Idle connections that break are replaced when one is needed; unheard, their error would end the process.
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', () => {}))
  /** When each was given back; a clock that goes on while this process stands still. */
  const restingSince = new WeakMap<Pg.PoolClient, number>()

  /** Idle for longer than its timer allows, a connection has outlived a host that froze this process: nobody may be at its other end. */
  async function take(): Promise<Pg.PoolClient> {
    for (;;) {
      const client = await pool.connect()
      const since = restingSince.get(client)
      if (since === undefined || Date.now() - since < idleMs + answerMs) return client
      client.release(true)
    }
  }

  return new PostgresDialect({
    pool: {
      options: pool.options,
      end: () => pool.end(),
      async connect() {
        const client = await take().catch(error => {
          throw namePostgresError(error)
        })
        return {
          // Kysely's type also has cursors, which need a package that we don't use.
          query: (async (text: string, values: unknown[]) => {
            try {
              return await client.query(text, values)
            } catch (error) {
              throw namePostgresError(error)
            }
          }) as never,
          release(destroy) {
            restingSince.set(client, Date.now())
            client.release(destroy)
          },
        }
      },
    },
  })
}

/** One connection of its own, for listening. */
export async function connectPostgres(driver: PostgresDriver, options: PostgresConnectionOptions): Promise<Pg.Client> {
  const client = new driver.Client(toClientConfig(driver, options))
  client.on('error', () => {})
  try {
    await client.connect()
    await prepareSession(client, options)
    return client
  } catch (error) {
    await client.end().catch(() => {})
    throw namePostgresError(error)
  }
}

function toClientConfig(driver: PostgresDriver, options: PostgresConnectionOptions): Pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: options.applicationName,
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    query_timeout: answerMs,
    // We send one query at a time; but only so does a query without an answer end its connection.
    pipeline: true,
    types: {
      // Milliseconds, versions and counts: all far below 2^53.
      getTypeParser: ((oid: number, format: 'text') =>
        oid === bigintOid ? Number : driver.types.getTypeParser(oid, format)) as typeof driver.types.getTypeParser,
    },
  }
}

/** Set here and not at start-up, where parameters of the URL would go before ours. */
async function prepareSession(client: Pg.ClientBase, { schema }: PostgresConnectionOptions): Promise<void> {
  const settings = {
    search_path: `"${schema}"`,
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
  }
  const names = Object.keys(settings)
  const calls = names.map((name, index) => `set_config('${name}', $${index + 1}, false)`)
  await client.query(`select ${calls.join(', ')}`, Object.values(settings).map(String))
}
