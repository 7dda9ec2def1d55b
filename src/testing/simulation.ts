import type { Clock, Random } from '../core/clock.ts'
import { defaultPolicy, type Policy } from '../core/policy.ts'
import { isTerminal, type PredictionRecord } from '../core/prediction.ts'
import type { Engine, Links, Route } from '../engine/contract.ts'
import { createEngine } from '../engine/engine.ts'
import type { Store } from '../store/contract.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { createSimulatedClock, type SimulatedClock, settle } from './clock.ts'
import { createMemoryFiles } from './memory-files.ts'
import { createRandom, createSeededIds } from './random.ts'
import { createRules } from './rules.ts'
import {
  createScriptedProvider,
  isRunning,
  plainScript,
  type Script,
  type ScriptedProvider,
} from './scripted-provider.ts'
import { textModel } from './text-model.ts'

/**
 * A whole gateway in virtual time: three engines on one store, two providers that misbehave, clients that create and
 * cancel, processes that die between any two steps, a store that fails. One seed decides everything. Safety rules are
 * checked at every write; then the faults stop, and everything must settle.
 */
export interface SimulationOptions {
  readonly seed: number
  readonly predictions: number
  /** Switches all faults off, for a baseline. Default: on. */
  readonly faults?: boolean
}

export interface SimulationResult {
  readonly seed: number
  readonly predictions: number
  readonly statuses: { readonly [status: string]: number }
  readonly attempts: number
  /** Runs begun at providers per succeeded prediction. */
  readonly startsPerSuccess: number
  readonly crashes: number
  readonly virtualSeconds: number
}

const policy: Policy = {
  ...defaultPolicy,
  deadlineMs: 10 * 60_000,
  queueMs: 60_000,
  bootMs: 60_000,
  stallMs: 30_000,
  lastStageMs: 20_000,
  runMs: 120_000,
  unknownMs: 30_000,
  releaseMs: 120_000,
}
const engineCount = 3
/** Nothing may still be open this long after the faults stopped. */
const livenessMs = 2 * policy.deadlineMs

/** Throws an error that carries the seed when a rule is broken or something does not settle. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  try {
    return await run(options)
  } catch (error) {
    throw new Error(
      `Simulation with seed ${options.seed} and ${options.predictions} predictions failed: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}

async function run({ seed, predictions, faults = true }: SimulationOptions): Promise<SimulationResult> {
  const random = createRandom(seed)
  const clock = createSimulatedClock()
  const weather = { faults }
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const files = createMemoryFiles()
  const providers = [
    createProvider(clock, random, weather, true),
    createProvider(clock, random, weather, false),
  ] as const
  const rules = createRules({ policy, now: clock.now, hasFile: key => files.keys().includes(key) })
  const model: Route['model'] = textModel
  const deployments = providers.map((provider, index) => ({
    name: `text@${index}`,
    providerName: String(index),
    provider,
    target: {},
    concurrency: 8,
  }))
  const routes = new Map<string, Route>([[model.name, { model, deployments, policy }]])
  const newId = createSeededIds(random)
  let crashes = 0
  let started = 0

  function boot(): Process {
    started += 1
    const gate = createGate()
    const engine = createEngine({
      name: `engine-${started}`,
      alone: false,
      store: gate.port(chaoticStore(store, random, weather)),
      files: gate.port(files),
      download: () => Promise.reject(new Error('nothing is downloaded here')),
      routes,
      links: noLinks,
      serverKey: 'simulation',
      clock: gate.clock(clock),
      random,
      newId,
      fetch: () => Promise.reject(new Error('nothing is fetched here')),
      notify: async () => true,
      log: () => {},
    })
    // A crash also silences the providers' answers to that process.
    return { engine, die: gate.close }
  }

  const processes = await Promise.all(Array.from({ length: engineCount }, async () => startProcess(boot())))
  const ids: string[] = []
  store.watch(async ({ id }) => {
    const stored = await store.get(id)
    if (stored !== null) rules.check(stored.record, stored.version)
  })

  while (ids.length < predictions) {
    await clock.advance(Math.floor(random() * 2_000))
    const process = processes[Math.floor(random() * processes.length)]
    const create = process?.engine.create({
      model: model.name,
      owner: 'local',
      source: 'api',
      input: {},
      files: {},
      cancelAfterMs: random() < 0.05 ? 20_000 : null,
      webhook: null,
    })
    void create?.then(
      ({ record }) => ids.push(record.id),
      () => {},
    )
    await settle()
    if (faults && random() < 0.1) {
      const id = ids[Math.floor(random() * ids.length)]
      if (id !== undefined) void process?.engine.cancel(id).catch(() => {})
    }
    if (faults && random() < 0.03) {
      const index = Math.floor(random() * processes.length)
      processes[index]?.die()
      crashes += 1
      await clock.advance(Math.floor(random() * 5_000))
      processes[index] = await startProcess(boot())
    }
  }

  weather.faults = false
  const end = clock.now() + livenessMs
  let open = await openRecords(store, ids)
  while (open.length > 0 && clock.now() < end) {
    await clock.advance(5_000)
    open = await openRecords(store, ids)
  }
  rules.raise()
  if (open.length > 0)
    throw new Error(
      `${open.length} predictions are still open ${livenessMs / 1000} s after the faults stopped: ${JSON.stringify(open[0])}`,
    )
  const records = await Promise.all(ids.map(async id => (await store.get(id))?.record))
  checkEnds(
    records.flatMap(record => record ?? []),
    providers,
    clock,
  )
  await Promise.all(processes.map(process => stopProcess(process, clock)))
  await store.close()
  return summary(
    seed,
    records.flatMap(record => record ?? []),
    providers,
    crashes,
    clock,
  )
}

interface Process {
  readonly engine: Engine
  die(): void
}

async function startProcess(process: Process): Promise<Process> {
  // A store that fails at the very start: the process manager tries again.
  for (let attempt = 0; ; attempt++) {
    try {
      await process.engine.start()
      return process
    } catch (error) {
      if (attempt > 20) throw error
    }
  }
}

async function stopProcess({ engine }: Process, clock: SimulatedClock): Promise<void> {
  let done = false
  const stopping = engine.stop().finally(() => (done = true))
  while (!done) await clock.advance(1_000)
  await stopping
}

async function openRecords(store: Store, ids: readonly string[]): Promise<PredictionRecord[]> {
  const stored = await Promise.all(ids.map(id => store.get(id)))
  return stored.flatMap(entry => (entry !== null && entry.record.settledAt === null ? entry.record : []))
}

const noLinks: Links = { input: () => null, upload: () => null, webhook: () => null }

/** Everything that a process touches, until it dies: then no call answers any more and no timer fires. */
function createGate() {
  let open = true
  const never = new Promise<never>(() => {})
  return {
    close() {
      open = false
    },
    port<T extends object>(target: T): T {
      return new Proxy(target, {
        get(object, key, receiver) {
          const value: unknown = Reflect.get(object, key, receiver)
          if (typeof value !== 'function') return value
          return (...args: unknown[]) => {
            if (!open) return never
            const result: unknown = value.apply(object, args)
            return result instanceof Promise
              ? result.then(
                  answer => (open ? answer : never),
                  error => (open ? Promise.reject(error) : never),
                )
              : result
          }
        },
      })
    },
    clock(inner: Clock): Clock {
      return { now: inner.now, after: (delayMs, run) => inner.after(delayMs, () => void (open && run())) }
    },
  }
}

/** Fails now and then, before or after the work is done: a caller cannot know which. */
function chaoticStore(store: Store, random: Random, weather: { faults: boolean }): Store {
  return {
    ...store,
    async commit(changes) {
      if (weather.faults && random() < 0.01) throw new Error('The store is away (before the write).')
      const outcomes = await store.commit(changes)
      if (weather.faults && random() < 0.01) throw new Error('The store is away (after the write).')
      return outcomes
    },
  }
}

function createProvider(
  clock: Clock,
  random: Random,
  weather: { faults: boolean },
  canFind: boolean,
): ScriptedProvider {
  const chance = (probability: number) => weather.faults && random() < probability
  const pause = (ms: number) => new Promise<void>(resolve => void clock.after(ms, resolve))
  function script(): Script {
    const bootAt = random() * 5_000
    const runAt = bootAt + random() * 5_000
    const healthy: Script = { ...plainScript, bootAt, runAt, endAt: runAt + random() * 20_000 }
    if (!weather.faults) return healthy
    return {
      ...healthy,
      ...(random() < 0.08 && { endAt: Number.POSITIVE_INFINITY, stallAt: random() }),
      ...(random() < 0.04 && {
        bootAt: Number.POSITIVE_INFINITY,
        runAt: Number.POSITIVE_INFINITY,
        endAt: Number.POSITIVE_INFINITY,
      }),
      ...(random() < 0.05 && { end: 'failed' as const }),
      ...(random() < 0.03 && { end: 'empty' as const }),
      ...(random() < 0.03 && { end: 'gone' as const }),
      ...(random() < 0.03 && { output: 'broken' }),
      ...(random() < 0.1 && { ignoresCancel: true }),
      ...(random() < 0.1 && {
        start: random() < 0.5 ? ('lost' as const) : random() < 0.5 ? ('lost-before' as const) : ('rejected' as const),
      }),
    }
  }
  return createScriptedProvider({
    clock,
    canFind,
    script,
    async before(verb) {
      await pause(random() * 300)
      if (verb !== 'start' && chance(0.1)) throw new Error('The status endpoint answers 503.')
      if (chance(0.02)) await pause(60_000)
    },
  })
}

/** After everything settled: the account must agree with what the providers know. */
function checkEnds(records: readonly PredictionRecord[], providers: readonly ScriptedProvider[], clock: Clock): void {
  const attempts = new Map(records.flatMap(record => record.attempts.map(attempt => [attempt.id, attempt] as const)))
  for (const provider of providers) {
    const seen = new Set<string>()
    for (const run of provider.runs) {
      if (seen.has(run.attemptId)) throw new Error(`attempt ${run.attemptId} was started twice`)
      seen.add(run.attemptId)
      const attempt = attempts.get(run.attemptId)
      if (attempt !== undefined && isRunning(run, clock.now()) && attempt.release !== 'given_up') {
        throw new Error(
          `attempt ${run.attemptId} still runs at the provider although it is recorded as ${attempt.state}/${attempt.release}`,
        )
      }
    }
  }
  for (const record of records)
    if (!isTerminal(record.status)) throw new Error(`prediction ${record.id} settled as ${record.status}`)
}

function summary(
  seed: number,
  records: readonly PredictionRecord[],
  providers: readonly ScriptedProvider[],
  crashes: number,
  clock: SimulatedClock,
): SimulationResult {
  const statuses: { [status: string]: number } = {}
  for (const record of records) statuses[record.status] = (statuses[record.status] ?? 0) + 1
  const starts = providers.reduce((sum, provider) => sum + provider.runs.length, 0)
  const first = Math.min(...records.map(record => record.createdAt))
  return {
    seed,
    predictions: records.length,
    statuses,
    attempts: records.reduce((sum, record) => sum + record.attempts.length, 0),
    startsPerSuccess: Math.round((100 * starts) / (statuses.succeeded ?? 1)) / 100,
    crashes,
    virtualSeconds: Math.round((clock.now() - first) / 1000),
  }
}
