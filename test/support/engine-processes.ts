import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import type { PredictionRecord } from '../../src/core/prediction.ts'
import type { EmulatorState } from '../../src/emulators/contract.ts'
import { createReplicateEmulator } from '../../src/emulators/replicate/index.ts'
import { serveEmulator } from '../../src/emulators/serve.ts'
import { createFixedWork } from '../../src/emulators/works.ts'
import { systemClock } from '../../src/engine/clock.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'

/** One engine in a process of its own. */
export interface EngineProcess {
  readonly name: string
  /** Creates predictions there and answers their ids once they are durable. */
  create(count: number): Promise<string[]>
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
}

/** A row of `predictions`. */
export interface Row {
  readonly id: string
  readonly version: number
  readonly engine: string | null
  readonly record: PredictionRecord
}

/** Real engines, a real database, and a provider that bills each start. */
export interface Scene {
  readonly server: PostgresServer
  startEngine(name: string): Promise<EngineProcess>
  /** Every prediction by id, as the database has it; none while it does not answer. */
  rows(): Promise<readonly Row[]>
  /** Looks until there are `count` rows, all of which are as wanted; fails where a version went back or a prediction that had ended changed its end. */
  watchUntil(count: number, isWanted: (row: Row) => boolean): Promise<readonly Row[]>
  /** What the provider has started, and bills. */
  bill(): EmulatorState
}

export interface SceneOptions {
  /** How long a run works at the provider. */
  readonly runMs: number
}

/** Sets everything up for one test and takes it down afterwards. */
export async function createScene({ runMs }: SceneOptions): Promise<Scene> {
  const server = await startPostgres()
  onTestFinished(() => server.close())
  const directory = await mkdtemp(join(tmpdir(), 'surefoot-processes-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const bytes = new TextEncoder().encode('done')
  const emulator = createReplicateEmulator({
    clock: systemClock,
    random: Math.random,
    bootMs: 200,
    work: createFixedWork({
      clock: systemClock,
      durationMs: runMs,
      name: 'text.txt',
      mediaType: 'text/plain',
      bytes,
    }),
  })
  const served = await serveEmulator(emulator)
  onTestFinished(() => served.close())
  const pool = new pg.Pool({ connectionString: server.url, connectionTimeoutMillis: 1_000, query_timeout: 5_000 })
  pool.on('error', () => {})
  onTestFinished(() => pool.end())
  const seen = new Map<string, Row>()

  async function startEngine(name: string): Promise<EngineProcess> {
    const script = fileURLToPath(new URL('engine-process.ts', import.meta.url))
    const child = spawn(process.execPath, [script, name, server.url, directory, served.origin], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    onTestFinished(() => end(child))
    await once(child, 'message')
    return {
      name,
      async create(count) {
        const answered = once(child, 'message')
        child.send(count)
        const [ids] = await answered
        return ids
      },
      async signal(signal) {
        const closed = signal === 'SIGKILL' ? once(child, 'exit') : null
        child.kill(signal)
        await closed
      },
    }
  }

  async function rows(): Promise<Row[]> {
    const query =
      'select id, version::float8, lease_engine as engine, record::json from surefoot.predictions order by id'
    const answer = await pool.query<Row>(query).catch(() => null)
    return answer?.rows ?? []
  }

  async function watchUntil(count: number, isWanted: (row: Row) => boolean): Promise<readonly Row[]> {
    for (;;) {
      const found = await rows()
      for (const row of found) check(row)
      if (found.length === count && found.every(isWanted)) return found
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }

  function check(row: Row): void {
    const before = seen.get(row.id)
    seen.set(row.id, row)
    if (before === undefined) return
    if (row.version < before.version)
      throw new Error(`${row.id} went from version ${before.version} to ${row.version}.`)
    const { status, output, completedAt } = before.record
    const ended = JSON.stringify([status, output, completedAt])
    if (
      completedAt !== null &&
      ended !== JSON.stringify([row.record.status, row.record.output, row.record.completedAt])
    )
      throw new Error(`${row.id} had ended as ${ended} and changed.`)
  }

  return { server, startEngine, rows, watchUntil, bill: () => emulator.state() }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  // A stopped process takes no other signal.
  child.kill('SIGKILL')
  await exited
}

/** Whether it has ended for good: nothing of it is open anywhere. */
export function isSettled({ record }: Row): boolean {
  return record.settledAt !== null
}

/** Whether the provider's handle is stored and the run was seen at work. */
export function isRunning({ record }: Row): boolean {
  return record.status === 'processing' && record.attempts.every(({ handle }) => handle !== null)
}

/** What became of a prediction, in the words that tests compare. */
export function summarize({ record }: Row): object {
  const { id, status, attempts, output } = record
  return { id, status, attempts: attempts.map(({ state }) => state), text: output?.facts }
}
