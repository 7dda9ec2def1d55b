// Loaded before anything is measured: the adapter loads it with its first call, which takes no simulated time then.
import 'modal'
import { describe, expect, it, onTestFinished } from 'vitest'
import { refuse } from '../core/failure.ts'
import type { MigrationPlan } from '../core/migration.ts'
import { defaultPolicy, type Policy } from '../core/policy.ts'
import { isTerminal, type PredictionRecord } from '../core/prediction.ts'
import {
  asFetch,
  createFixedWork,
  createModalEmulator,
  createReplicateEmulator,
  type Emulator,
  grpcOverFetch,
} from '../emulators/index.ts'
import type { Provider } from '../providers/contract.ts'
import { modal } from '../providers/modal/index.ts'
import { replicate } from '../providers/replicate/index.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { createMemoryStore } from '../testing/memory-store.ts'
import { createRandom, createSeededIds } from '../testing/random.ts'
import { textModel } from '../testing/text-model.ts'
import type { Deployment, Engine, Route } from './contract.ts'
import { createEngine } from './engine.ts'
import { request } from './test-support.ts'

const model = textModel.name
const plan: MigrationPlan = {
  from: 'text@modal',
  to: 'text@replicate',
  steps: [5, 25, 50, 100],
  shadow: { share: 0.3, runs: 10 },
  limits: { success: 'no-worse', slower: 3, dearer: null, seconds: null, cost: null, differ: 0 },
  samples: 20,
}
/** An app whose owner knows that its work takes ten seconds. */
const policy: Policy = { ...defaultPolicy, queueMs: 60_000, bootMs: 60_000, runMs: 60_000, releaseMs: 120_000 }

interface Places {
  readonly modal?: readonly string[]
  readonly replicate?: readonly string[]
  readonly plan?: Partial<MigrationPlan>
}

/** Three engines on one store, in front of the emulated Modal and Replicate, through the real adapters, in virtual time. */
async function setup(faults: Places) {
  const clock = createSimulatedClock(undefined, 1)
  const random = createRandom(1)
  const bytes = new TextEncoder().encode('done')
  const work = () =>
    createFixedWork({ clock, durationMs: 10_000, steps: 4, name: 'text.txt', mediaType: 'text/plain', bytes })
  const emulators: { readonly [host: string]: Emulator } = {
    'modal.test': createModalEmulator({ clock, random, work: work(), faults: faults.modal ?? [], maxContainers: 50 }),
    'replicate.test': createReplicateEmulator({
      ...{ clock, random, work: work(), faults: faults.replicate ?? [] },
      ...{ createsPerMinute: 6_000, readsPerMinute: 60_000 },
    }),
  }
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const emulator = emulators[new URL(input instanceof Request ? input.url : String(input)).host]
    if (emulator === undefined) throw new TypeError('fetch failed')
    return await asFetch(emulator)(input, init)
  }
  const deploy = (providerName: string, provider: Provider, target: object): Deployment => ({
    ...{ name: `text@${providerName}`, providerName, provider, concurrency: 60 },
    target: provider.parseTarget(target),
  })
  const middleware = grpcOverFetch(fetch, 'https://modal.test')
  const route: Route = {
    model: textModel,
    deployments: [
      deploy('modal', modal({ tokenId: 'ak', tokenSecret: 'as', grpcMiddleware: [middleware] }), {
        ...{ app: 'text', function: 'predict', hardware: 'l40s' },
      }),
      deploy('replicate', replicate({ token: 't', baseUrl: 'https://replicate.test/v1' }), {
        ...{ model: 'test/text', hardware: 'gpu-l40s' },
      }),
    ],
    policy,
    migration: { ...plan, ...faults.plan },
  }
  const memory = createMemoryStore(clock.now)
  const changes: string[] = []
  const store: typeof memory = {
    ...memory,
    async putMigration(name, migration) {
      const done = await memory.putMigration(name, migration)
      if (done) changes.push(migration.state.history.at(-1)?.what ?? '')
      return done
    },
  }
  const files = createMemoryFiles()
  const newId = createSeededIds(random)
  let booted = 0

  async function boot(): Promise<Engine> {
    const engine = createEngine({
      ...{ name: `engine-${++booted}`, alone: false, store, files, routes: new Map([[model, route]]) },
      ...{ links: { input: () => null, upload: () => null, webhook: () => null }, serverKey: 'key' },
      ...{ clock, random, newId, fetch, notify: async () => true, log: () => {} },
      async download(url, { signal }) {
        const response = await fetch(url, { signal }).catch((cause: unknown) =>
          refuse('provider_unreachable', 'The download was cut.', { cause }),
        )
        if (!response.ok || response.body === null) return refuse('input_invalid', `It answers ${response.status}.`)
        const length = Number(response.headers.get('content-length'))
        return { body: response.body, mediaType: 'text/plain', bytes: length, name: 'text.txt' }
      },
    })
    await engine.start()
    return engine
  }

  async function stop(engine: Engine): Promise<void> {
    let isStopped = false
    void engine.stop().then(() => (isStopped = true))
    while (!isStopped) await clock.advance(1_000)
  }

  const engines = [await boot(), await boot(), await boot()]
  const created: string[] = []

  /** So many predictions, every two seconds one, by these engines in turn. */
  async function serve(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const { record } = (await engines[created.length % engines.length]?.create(request())) ?? {}
      if (record !== undefined) created.push(record.id)
      await clock.advance(2_000)
    }
  }

  /** All own predictions at their end. */
  async function ends(): Promise<PredictionRecord[]> {
    const read = async () =>
      (await Promise.all(created.map(id => store.get(id)))).flatMap(stored => stored?.record ?? [])
    while ((await read()).some(({ status }) => !isTerminal(status))) await clock.advance(5_000)
    return await read()
  }

  onTestFinished(async () => {
    for (const engine of engines) await stop(engine)
    for (const emulator of Object.values(emulators)) emulator.close()
  })
  return { clock, store, files, engines, boot, stop, serve, ends, changes, emulators }
}

const statusesOf = (records: readonly PredictionRecord[]) => new Set(records.map(({ status }) => status))
const beginsAt = (records: readonly PredictionRecord[]) =>
  new Set(records.map(({ attempts }) => attempts[0]?.deployment))

describe('off a Modal that stalls and evicts, to a healthy Replicate', () => {
  it('ends at 100 %, each transition once, and no prediction fails, though one process gives way to another on the way', async () => {
    const { engines, boot, stop, serve, ends, changes, store, files, clock } = await setup({
      modal: ['stall:10%', 'worker-killed:10%', 'progress-restart:10%'],
    })
    for (let rounds = 0; changes.at(-1) !== 'done' && rounds < 100; rounds++) {
      await serve(10)
      if (rounds !== 10) continue
      const [first] = engines.splice(0, 1)
      if (first !== undefined) await stop(first)
      engines.push(await boot())
    }
    expect(changes).toEqual(['shadow', '5 %', '25 %', '50 %', '100 %', 'done'])
    const before = await ends()
    expect(statusesOf(before)).toEqual(new Set(['succeeded']))
    const saved = before.filter(({ attempts }) => attempts[0]?.deployment === 'text@modal' && attempts.length > 1)
    expect(saved.length).toBeGreaterThan(10)
    for (const engine of engines) expect((await engine.migrations())[0]?.state.stage.name).toBe('done')

    await serve(30)
    const after = (await ends()).slice(before.length)
    expect([beginsAt(after), statusesOf(after)]).toEqual([new Set(['text@replicate']), new Set(['succeeded'])])

    await clock.advance(300_000)
    const shadows = (await store.list({ owner: `shadow:${model}`, limit: 1_000 })).map(({ record }) => record)
    expect(shadows.length).toBeGreaterThanOrEqual(10)
    expect(shadows.every(({ settledAt }) => settledAt !== null)).toBe(true)
    // One file for each prediction that somebody asked for, and none for the others.
    expect(files.keys().length).toBe(before.length + after.length)
  })
})

describe('to a Replicate that is not fit for it', () => {
  it.each([
    ['stalls', ['stall:60%']],
    ['spoils its outputs', ['output-corrupt:60%']],
    ['wants to be paid', ['create-402']],
    ['does not know the model', ['create-404']],
    ['takes an age to boot', ['boot-slow']],
  ])('%s: it goes back, once and for all, and every prediction ends well', async (_, faults) => {
    const { serve, ends, changes, engines } = await setup({
      replicate: faults,
      plan: { shadow: { share: 1, runs: 0 } },
    })
    // As far as chance has brought it there, and back.
    for (let rounds = 0; changes.at(-1) !== 'rolled back' && rounds < 60; rounds++) await serve(10)
    expect(changes.at(-1)).toBe('rolled back')
    expect(changes.filter(change => change === 'rolled back')).toHaveLength(1)
    const before = await ends()
    expect(statusesOf(before)).toEqual(new Set(['succeeded']))
    await serve(40)
    const after = (await ends()).slice(before.length)
    expect([beginsAt(after), statusesOf(after)]).toEqual([new Set(['text@modal']), new Set(['succeeded'])])
    expect(changes.at(-1)).toBe('rolled back')
    const [report] = (await engines[0]?.migrations()) ?? []
    expect(report?.state.history.at(-1)?.why).toMatch(/text@replicate/)
  })

  it('is seen already in the shadow stage, when nobody has been sent there', async () => {
    const { serve, ends, changes } = await setup({ replicate: ['model-error:70%'] })
    for (let rounds = 0; changes.length < 2 && rounds < 60; rounds++) await serve(10)
    expect(changes).toEqual(['shadow', 'rolled back'])
    const records = await ends()
    expect([beginsAt(records), statusesOf(records)]).toEqual([new Set(['text@modal']), new Set(['succeeded'])])
  })
})
