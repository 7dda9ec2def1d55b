import { expect, onTestFinished } from 'vitest'
import { defaultPolicy, type Policy } from '../core/policy.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import type { Retention } from '../core/retention.ts'
import type { Download, FileStore } from '../files/contract.ts'
import type { Model } from '../models/contract.ts'
import type { Io, Provider } from '../providers/contract.ts'
import type { Store } from '../store/contract.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { createSimulatedClock, settle } from '../testing/clock.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { createRandom, createSeededIds } from '../testing/random.ts'
import { createScriptedProvider, type ScriptedOptions, type ScriptedProvider } from '../testing/scripted-provider.ts'
import { createProcess, type Process } from '../testing/simulation-process.ts'
import { textModel } from '../testing/text-model.ts'
import type { CreateRequest, Deployment, Links } from './contract.ts'
import type { EngineDependencies } from './engine.ts'

export type Verb = 'start' | 'poll' | 'find' | 'cancel'

export interface SetupOptions extends Partial<Omit<ScriptedOptions, 'clock'>> {
  readonly policy?: Partial<Policy>
  readonly concurrency?: number
  readonly model?: Model
  readonly download?: Download
  readonly links?: Links
  readonly notify?: EngineDependencies['notify']
  /** The provider under another cloak, e.g. with a `hear` or other limits. */
  readonly dress?: (provider: ScriptedProvider) => Provider
  /** Deployments after the scripted one. */
  readonly more?: (clock: ReturnType<typeof createSimulatedClock>) => readonly Deployment[]
}

/** One call of the provider, by the clock since the setup. */
export interface Call {
  readonly verb: Verb
  readonly at: number
}

interface ProcessOptions {
  readonly alone?: boolean
  readonly skewMs?: number
  readonly store?: Store
  readonly keepsWarm?: boolean
  readonly files?: FileStore
  readonly retention?: Retention
  readonly log?: EngineDependencies['log']
}

/** A store, files, a scripted provider on a clock that stands still, and processes to be booted on them. */
export async function setup(options: SetupOptions = {}) {
  const clock = createSimulatedClock()
  const zero = clock.now()
  const random = createRandom(1)
  const newId = createSeededIds(random)
  const sqlite = await openSqliteStore({ path: ':memory:', now: clock.now })
  const files = createMemoryFiles()
  const calls: Call[] = []
  const provider = createScriptedProvider({
    ...options,
    clock,
    async before(verb, io) {
      calls.push({ verb, at: clock.now() - zero })
      await options.before?.(verb, io)
    },
  })
  const model = options.model ?? textModel
  const deployment: Deployment = {
    name: 'text@scripted',
    providerName: 'scripted',
    provider: options.dress?.(provider) ?? provider,
    target: {},
    concurrency: options.concurrency ?? 4,
  }
  const deployments = [deployment, ...(options.more?.(clock) ?? [])]
  const policy = { ...defaultPolicy, backoffMs: 1, ...options.policy }
  const routes = new Map([[model.name, { model, deployments, policy }]])
  const processes: Process[] = []
  /** Everything that was committed, in order. */
  const commits: PredictionRecord[] = []

  const store: Store = {
    ...sqlite,
    async commit(changes) {
      const outcomes = await sqlite.commit(changes)
      for (const [index, { record }] of changes.entries()) if (outcomes[index] === 'committed') commits.push(record)
      return outcomes
    },
  }

  /** One more engine process, not started yet. */
  function prepare(over: ProcessOptions = {}): Process {
    const process = createProcess({
      name: `engine-${processes.length + 1}`,
      skewMs: 0,
      store,
      files,
      download: options.download ?? (() => Promise.reject(new Error('nothing is downloaded here'))),
      routes: () => routes,
      links: options.links ?? noLinks,
      clock,
      random,
      newId,
      fetch: () => Promise.reject(new Error('nothing is fetched here')),
      notify: options.notify ?? (async () => true),
      ...over,
    })
    processes.push(process)
    return process
  }

  /** One more engine process, started. */
  async function boot(over: ProcessOptions = {}): Promise<Process> {
    const process = prepare(over)
    await process.engine.start()
    return process
  }

  /** The record as it is in the store. */
  async function read(id: string): Promise<PredictionRecord> {
    const stored = await sqlite.get(id)
    if (stored === null) throw new Error(`there is no prediction ${id}`)
    return stored.record
  }

  /** Waits on the simulated clock. */
  async function finish<T>(promise: Promise<T>): Promise<T> {
    let done = false
    const ending = promise.finally(() => (done = true))
    ending.catch(() => {})
    for (let waited = 0; !done && waited < 600; waited++) {
      await settle()
      if (!done) await clock.advance(100)
    }
    return await ending
  }

  onTestFinished(async () => {
    for (const { engine, thaw } of processes) {
      thaw()
      if (!dead.has(engine)) await finish(engine.stop())
    }
    await sqlite.close()
    // Whatever the test did, nobody waits for the clock any more.
    expect(clock.waiting).toBe(0)
  })
  const dead = new Set<Process['engine']>()

  return {
    clock,
    store,
    sqlite,
    files,
    provider,
    calls,
    commits,
    routes,
    prepare,
    boot,
    read,
    finish,
    /** As by SIGKILL. */
    kill(process: Process): void {
      dead.add(process.engine)
      process.die()
    },
    /** Milliseconds since the setup. */
    now: () => clock.now() - zero,
  }
}

const noLinks: Links = { input: () => null, upload: () => null, webhook: () => null }

/** A request for a prediction without files, with what the test cares about put over it. */
export function request(over: Partial<CreateRequest> = {}): CreateRequest {
  return {
    model: textModel.name,
    owner: 'local',
    source: 'api',
    input: {},
    files: {},
    cancelAfterMs: null,
    webhook: null,
    ...over,
  }
}

/** A promise that its owner settles, for calls that take as long as a test wants. */
export function createHeld<T = void>() {
  let release: (value: T) => void = () => {}
  const promise = new Promise<T>(resolve => (release = resolve))
  return { promise, release }
}

/** A call that ends only by its signal, as a connection does on which nothing comes. */
export function hang({ signal }: Pick<Io, 'signal'>): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
