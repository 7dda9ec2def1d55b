import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { defaultPolicy } from '../src/core/policy.ts'
import { isTerminal } from '../src/core/prediction.ts'
import { systemClock } from '../src/engine/clock.ts'
import type { Engine } from '../src/engine/contract.ts'
import { createEngine } from '../src/engine/engine.ts'
import { newId } from '../src/open.ts'
import type { Provider } from '../src/providers/contract.ts'
import { openSqliteStore } from '../src/store/sqlite.ts'
import { createMemoryFiles } from '../src/testing/memory-files.ts'
import { textModel } from '../src/testing/text-model.ts'

const rounds = 9
const roundMs = 1_000
const resolutionMs = 1
/** About what a finished prediction's record takes as JSON. */
const rowBytes = 3_000

interface Result {
  readonly perSecond: number
  readonly lagMs: number
}

/**
 * Predictions of a model that does nothing, from create to a durable end, through the real engine on SQLite on disk, one and
 * 64 at a time; beside the floor, which is how many single-row transactions of the same durability SQLite itself
 * commits on the same disk. In turns in one process; files are kept in memory, because there is nothing in them. Callers let
 * the loop turn between two calls, as those that come over a network do.
 */
export async function run(): Promise<void> {
  const measures: readonly [string, () => Promise<Result>][] = [
    ['floor: commits of one row', measureFloor],
    ['predictions, 1 at a time', () => measureEngine(1)],
    ['predictions, 64 at a time', () => measureEngine(64)],
  ]
  const results = measures.map((): Result[] => [])
  for (let round = 0; round <= rounds; round++) {
    for (const [index, [, measure]] of measures.entries()) {
      const result = await measure()
      // The first round lets the compiler warm up.
      if (round > 0) results[index]?.push(result)
    }
  }
  console.log(`medians of ${rounds} rounds of ${roundMs / 1000} s in turns:`)
  for (const [index, [name]] of measures.entries()) {
    const own = results[index] ?? []
    const perSecond = median(own.map(result => result.perSecond))
    const lagMs = median(own.map(result => result.lagMs))
    // Round by round, because other work on the machine slows both sides of one round alike.
    const ratio = median(own.map((result, round) => result.perSecond / (results[0]?.[round]?.perSecond ?? Number.NaN)))
    console.log(
      `  ${name.padEnd(26)} ${perSecond.toFixed(0).padStart(6)} /s  ${ratio.toFixed(2)} of the floor  event-loop lag p99 ${lagMs.toFixed(1)} ms`,
    )
  }
}

async function measureFloor(): Promise<Result> {
  return await inFolder(async folder => {
    const database = new DatabaseSync(join(folder, 'floor.db'))
    try {
      database.exec(
        'pragma journal_mode = wal; pragma synchronous = full; create table rows (id text primary key, row text)',
      )
      const insert = database.prepare('insert into rows values (?, ?)')
      const row = 'x'.repeat(rowBytes)
      return await measure(async isOver => {
        let commits = 0
        while (!isOver()) {
          insert.run(newId(), row)
          commits += 1
          await setImmediate()
        }
        return commits
      })
    } finally {
      database.close()
    }
  })
}

async function measureEngine(concurrency: number): Promise<Result> {
  return await inFolder(async folder => {
    const store = await openSqliteStore({ path: join(folder, 'surefoot.db') })
    const deployment = { name: 'text@instant', providerName: 'instant', provider: instant, target: {}, concurrency }
    const engine = createEngine({
      name: 'bench',
      alone: true,
      store,
      files: createMemoryFiles(),
      download: () => Promise.reject(new Error('nothing is downloaded here')),
      routes: new Map([[textModel.name, { model: textModel, deployments: [deployment], policy: defaultPolicy }]]),
      links: { input: () => null, upload: () => null, webhook: () => null },
      serverKey: 'bench',
      clock: systemClock,
      random: Math.random,
      newId,
      fetch: () => Promise.reject(new Error('nothing is fetched here')),
      notify: async () => true,
      log: (level, message, fields) => console.error(level, message, fields ?? ''),
    })
    try {
      await engine.start()
      return await measure(async isOver => {
        const lines = Array.from({ length: concurrency }, async () => {
          let ended = 0
          for (; !isOver(); ended++) {
            await finishOne(engine)
            await setImmediate()
          }
          return ended
        })
        return (await Promise.all(lines)).reduce((sum, ended) => sum + ended, 0)
      })
    } finally {
      await engine.stop()
      await store.close()
    }
  })
}

async function finishOne(engine: Engine): Promise<void> {
  const { record } = await engine.create({
    model: textModel.name,
    owner: 'local',
    source: 'api',
    input: {},
    files: {},
    cancelAfterMs: null,
    webhook: null,
  })
  for await (const stored of engine.watch(record.id, { signal: new AbortController().signal })) {
    if (!isTerminal(stored.record.status)) continue
    if (stored.record.status !== 'succeeded') throw new Error(JSON.stringify(stored.record.failure))
  }
}

/** Has finished before its start is answered. */
const instant: Provider = {
  kind: 'instant',
  trustedOrigins: [],
  limits: {
    inputForms: ['data'],
    outputForms: ['data'],
    inlineOutputBytes: null,
    resultKeptMs: 60_000,
    heldStart: false,
    startTimeoutMs: 5_000,
    callTimeoutMs: 5_000,
    pollMs: 1_000,
    thisHostOnly: false,
  },
  parseTarget: () => ({}),
  start: async () => ({
    kind: 'accepted',
    handle: 'run',
    seen: {
      status: 'succeeded',
      word: 'done',
      outputs: [{ kind: 'data', uri: `data:text/plain;base64,${btoa('done')}` }],
    },
  }),
  poll: async () => ({ status: 'succeeded', word: 'done' }),
  cost: () => null,
  pricePerSecond: () => 0,
}

/** Runs `work` until its time is over; answers what it did a second, and how late timers fired meanwhile. */
async function measure(work: (isOver: () => boolean) => Promise<number>): Promise<Result> {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  const start = performance.now()
  const count = await work(() => performance.now() - start >= roundMs)
  const seconds = (performance.now() - start) / 1000
  delay.disable()
  // The histogram holds the time between two timers, which on an idle loop is the resolution itself.
  return { perSecond: count / seconds, lagMs: Math.max(0, delay.percentile(99) / 1e6 - resolutionMs) }
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'surefoot-bench-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
