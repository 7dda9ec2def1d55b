import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { isEnded, type PredictionRecord } from '../../src/core/prediction.ts'
import type { AttemptsJson, PredictionJson } from '../../src/http/shapes.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { createRandom } from '../../src/testing/random.ts'
import { makeFolder, root, startGateway } from './gateway.ts'

const leaseMs = 15_000
const photo = readFileSync(join(root, 'examples/photos/rocket.jpg'))

export interface Survival {
  readonly predictions: number
  readonly attempts: number
  /** From the start of each new process to the moment at which it had taken over everything that was open. */
  readonly pickUpMs: readonly number[]
}

/** A folder whose gateway is patient: on a busy machine nothing may end for being slow. */
function makeGatewayFolder(): string {
  const folder = makeFolder()
  const policy = { deadlineMs: 1_800_000, stallMs: 600_000, lastStageMs: 600_000, bootMs: 600_000, queueMs: 600_000 }
  const config = {
    deployments: { 'relief@local': { concurrency: 2 } },
    models: { relief: { route: ['relief@local'], policy } },
  }
  writeFileSync(join(folder, 'surefoot.config.mjs'), `export default ${JSON.stringify(config, null, 2)}\n`)
  return folder
}

/** Asks for a relief of a photo; answers the id once it is accepted, or null when the gateway dies before it says so. */
async function ask(url: string): Promise<string | null> {
  const body = JSON.stringify({ input: { image: `data:image/jpeg;base64,${photo.toString('base64')}` } })
  const headers = { 'content-type': 'application/json' }
  try {
    const response = await fetch(`${url}/v1/models/surefoot/relief/predictions`, { method: 'POST', headers, body })
    expect(response.status).toBe(201)
    return ((await response.json()) as PredictionJson).id
  } catch (error) {
    // Cut off by the kill. Anything else is a finding.
    if (error instanceof TypeError) return null
    throw error
  }
}

/**
 * Kills a gateway at moments that the seed decides, while predictions begin and run, and starts it again each time.
 * Then every prediction that was accepted must succeed, each by exactly one worker and with exactly one output.
 */
export async function surviveKills(seed: number, kills: number): Promise<Survival> {
  const random = createRandom(seed)
  const folder = makeGatewayFolder()
  const accepted: string[] = []
  const engines = new Set<string>()
  const pickUpMs: number[] = []
  const asked: Promise<void>[] = []
  let gateway = await startGateway({ cwd: folder })

  for (let kill = 0; kill < kills; kill++) {
    const count = 1 + Math.floor(random() * 2)
    for (let index = 0; index < count; index++)
      asked.push(ask(gateway.url).then(id => void (id !== null && accepted.push(id))))
    await pause(random() * 2_500)
    gateway.child.kill('SIGKILL')
    await gateway.ended
    const startedAt = Date.now()
    gateway = await startGateway({ cwd: folder })
    const leases = readLeases(folder)
    // It listens only when everything that was open is its own: no lease of a dead process has to be waited for.
    for (const { id, engine } of leases) expect([id, engine]).toEqual([id, leases[0]?.engine])
    const [first] = leases
    if (first === undefined) continue
    expect(engines).not.toContain(first.engine)
    engines.add(first.engine ?? '')
    pickUpMs.push(Math.max(...leases.map(({ until }) => (until ?? 0) - leaseMs)) - startedAt)
  }

  await Promise.all(asked)
  // Also those whose acceptance nobody got to hear.
  while (readLeases(folder).length > 0) await pause(200)
  gateway.child.kill('SIGTERM')
  await gateway.ended
  const records = await readRecords(folder)
  const ids = records.map(({ id }) => id)
  expect(ids).toEqual(expect.arrayContaining(accepted))
  for (const record of records) checkOne(folder, record)
  const workers = readdirSync(join(folder, '.surefoot/local')).filter(attempt => workerOf(folder, attempt) !== null)
  expect(workers).toHaveLength(records.length)
  const attempts = records.reduce((sum, record) => sum + record.attempts.length, 0)
  return { predictions: records.length, attempts, pickUpMs }
}

/** Stops a gateway while a run works, wakes it `moreMs` after the run has ended, and answers what came of the prediction. */
export async function sleepThroughTheEnd(moreMs: number): Promise<{ status: string; attempts: string[] }> {
  const folder = makeGatewayFolder()
  const { url, child, ended } = await startGateway({ cwd: folder })
  const id = (await ask(url)) ?? ''
  const attempt = await running(url, id)
  child.kill('SIGSTOP')
  while (!hasSucceeded(folder, attempt)) await pause(100)
  await pause(moreMs)
  child.kill('SIGCONT')
  const { status } = await settled(url, id)
  child.kill('SIGTERM')
  await ended
  const [record] = await readRecords(folder)
  return { status, attempts: record?.attempts.map(({ state }) => state) ?? [] }
}

/** Waits until the first attempt of a prediction works, and answers its id. */
async function running(url: string, id: string): Promise<string> {
  for (;;) {
    const response = await fetch(`${url}/v1/predictions/${id}/attempts`)
    const [first] = ((await response.json()) as AttemptsJson).attempts
    if (first?.state === 'running') return first.id
    await pause(20)
  }
}

function hasSucceeded(folder: string, attempt: string): boolean {
  const status = readFileSync(join(folder, '.surefoot/local', attempt, 'status.json'), 'utf8')
  return (JSON.parse(status) as { state: string }).state === 'succeeded'
}

/** Waits until nothing of a prediction is open any more. */
async function settled(url: string, id: string): Promise<PredictionJson> {
  for (;;) {
    const response = await fetch(`${url}/v1/predictions/${id}`)
    expect(response.status).toBe(200)
    const prediction = (await response.json()) as PredictionJson
    if (prediction.surefoot.settled) return prediction
    await pause(200)
  }
}

/** The process that worked on an attempt; null where none ever began. */
function workerOf(folder: string, attempt: string): string | null {
  const claim = join(folder, '.surefoot/local', attempt, 'claim')
  const holder = existsSync(claim) ? readFileSync(claim, 'utf8') : 'gateway'
  return holder === 'gateway' ? null : holder
}

/** Everything that a stopped gateway has stored. */
async function readRecords(folder: string): Promise<PredictionRecord[]> {
  const store = await openSqliteStore({ path: join(folder, '.surefoot/surefoot.db') })
  try {
    return (await store.list({ owner: null, limit: 10_000 })).map(({ record }) => record)
  } finally {
    await store.close()
  }
}

/** Succeeded, by one worker, with one output, which is the file that was verified. */
function checkOne(folder: string, record: PredictionRecord): void {
  const { id, status, failure, output, attempts, settledAt } = record
  expect({ id, status, failure }).toEqual({ id, status: 'succeeded', failure: null })
  expect(settledAt).not.toBeNull()
  expect(attempts.every(({ state, release }) => isEnded(state) && release !== 'open')).toBe(true)
  const workers = attempts.filter(attempt => workerOf(folder, attempt.id) !== null)
  expect(workers.map(({ state }) => state).join(), record.decisions.map(({ why }) => why).join('\n')).toBe('won')
  const kept = readdirSync(join(folder, '.surefoot/files/outputs', id))
  expect(kept).toEqual([attempts.find(({ state }) => state === 'won')?.id])
  const bytes = readFileSync(join(folder, '.surefoot/files', output?.key ?? ''))
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(output?.sha256)
}

interface Lease {
  readonly id: string
  readonly engine: string | null
  readonly until: number | null
}

/** Who holds what is open, straight from the database of the running gateway. */
function readLeases(folder: string): Lease[] {
  const database = new DatabaseSync(join(folder, '.surefoot/surefoot.db'), { readOnly: true, timeout: 5_000 })
  try {
    const rows = database
      .prepare('select id, lease_engine as engine, lease_until as until from predictions where settled = 0')
      .all()
    return rows.map(row => ({
      id: String(row.id),
      engine: row.engine === null ? null : String(row.engine),
      until: row.until === null ? null : Number(row.until),
    }))
  } finally {
    database.close()
  }
}
