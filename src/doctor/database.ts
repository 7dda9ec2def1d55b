import { randomUUID } from 'node:crypto'
import type { Client } from 'pg'
import { SurefootError } from '../core/failure.ts'
import type { Finding } from '../providers/contract.ts'
import { migrations } from '../store/migrate.ts'
import { connectPostgres, loadPostgresDriver } from '../store/postgres-driver.ts'
import { namePostgresError } from '../store/postgres-failure.ts'
import { ok, problem, warning } from './finding.ts'

/** Where the tables are, unless `openPostgresStore` is told otherwise. */
const schema = 'surefoot'
/** Of one process: its pool, and one for listening. */
const connectionsOfOne = 9
/** Leases and due times use the database's clock, links and signatures ours. */
const farOffMs = 5_000

/**
 * Whether the database that processes share is there, keeps what it was told, tells others of it, and has room. Reads, and
 * sends one notification to itself; makes and migrates nothing.
 */
export async function inspectDatabase(url: string, now: () => number): Promise<Finding[]> {
  let client: Client | null = null
  try {
    client = await connectPostgres(await loadPostgresDriver(), { url, schema, applicationName: 'surefoot doctor' })
    return [...(await judgeServer(client, now)), await judgeSchema(client), await judgeListening(client)]
  } catch (cause) {
    const error = namePostgresError(cause)
    if (!SurefootError.is(error)) return [problem('database', `The database fails: ${String(error)}.`, 'Report this.')]
    return [problem('database', error.failure.message, error.failure.advice)]
  } finally {
    await client?.end().catch(() => {})
  }
}

interface ServerRow {
  readonly now: number
  readonly version: string
  readonly commit: string
  readonly fsync: string
  readonly pages: string
  readonly most: number
  readonly used: number
  readonly standby: boolean
}

async function judgeServer(client: Client, now: () => number): Promise<Finding[]> {
  const askedAt = now()
  const { rows } = await client.query<ServerRow>(`select
    floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now,
    current_setting('server_version') as version,
    current_setting('synchronous_commit') as commit,
    current_setting('fsync') as fsync,
    current_setting('full_page_writes') as pages,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as most,
    (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used,
    pg_is_in_recovery() as standby`)
  const [row] = rows
  if (row === undefined) return [problem('database', 'The database answers with nothing.', 'Report this.')]
  const offBy = row.now - (askedAt + now()) / 2
  const words = `PostgreSQL ${row.version}`
  const findings = [
    row.standby
      ? problem('database', `${words} is a standby, which takes no writes.`, 'Name the primary in the database URL.')
      : ok('database', `${words} is there and takes writes.`),
  ]
  if (row.fsync === 'off' || row.pages === 'off' || row.commit === 'off')
    findings.push(
      warning(
        'database-durability',
        `${words} does not wait for its disk (fsync ${row.fsync}, full_page_writes ${row.pages}, synchronous_commit ${row.commit}): what a crash takes with it is started and paid again.`,
        'Set fsync and full_page_writes on, and synchronous_commit to on or local.',
      ),
    )
  if (Math.abs(offBy) > farOffMs)
    findings.push(
      warning(
        'database-clock',
        `The database's clock is ${Math.round(Math.abs(offBy) / 1000)} s ${offBy > 0 ? 'ahead of' : 'behind'} this machine's: deadlines are by the one, links by the other.`,
        'Set both clocks by NTP.',
      ),
    )
  const free = row.most - row.used
  if (free < connectionsOfOne)
    findings.push(
      warning(
        'database-connections',
        `${free} of ${row.most} connections are free, and a process of Surefoot takes up to ${connectionsOfOne}.`,
        'Raise max_connections, or let fewer processes run.',
      ),
    )
  return findings
}

async function judgeSchema(client: Client): Promise<Finding> {
  const newest = migrations.at(-1)?.version ?? 0
  const table = `${schema}.schema_version`
  const there = await client.query<{ readonly there: boolean; readonly may: boolean }>(
    `select to_regclass($1) is not null as there, has_database_privilege(current_database(), 'CREATE') as may`,
    [table],
  )
  const [found] = there.rows
  if (found?.there !== true) {
    if (found?.may === true) return ok('database-schema', 'There are no tables yet; the first start makes them.')
    const message = `There are no tables yet, and this user may not make a schema.`
    return problem('database-schema', message, `Grant it CREATE on the database, or make the schema ${schema} for it.`)
  }
  const { rows } = await client.query<{ readonly version: number }>(`select version from ${table}`)
  const version = rows[0]?.version ?? 0
  if (version === newest) return ok('database-schema', `The tables are those of this release (version ${version}).`)
  if (version < newest)
    return ok(
      'database-schema',
      `The tables are of version ${version}; the next start brings them to ${newest}.`,
      'Older processes beside it stop then.',
    )
  const message = `The tables are of version ${version}, and this release knows up to ${newest}.`
  return problem('database-schema', message, 'Run the newer release that wrote them.')
}

/** A pooler that shares sessions between transactions swallows notifications; then everything waits for the next poll. */
async function judgeListening(client: Client): Promise<Finding> {
  const channel = `surefoot_doctor_${randomUUID().replaceAll('-', '')}`
  let heard = false
  client.on('notification', message => {
    if (message.channel === channel) heard = true
  })
  await client.query(`listen ${channel}`)
  await client.query('select pg_notify($1, $2)', [channel, 'hello'])
  // What was sent before a query is delivered with its answer.
  await client.query('select 1')
  await client.query(`unlisten ${channel}`)
  if (heard) return ok('database-listen', 'Notifications (LISTEN) come through.')
  const message = 'Notifications (LISTEN) do not come through, so processes hear of each other by polls only.'
  return warning('database-listen', message, 'Connect to the server itself, not to a pooler that shares sessions.')
}
