import { expect } from 'vitest'
import type { Random } from '../core/clock.ts'
import { type FailureCode, refuse } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import { defaultPolicy, type Policy } from '../core/policy.ts'
import { isTerminal } from '../core/prediction.ts'
import type { FaultName } from '../emulators/catalogue.ts'
import type { Emulator, Work } from '../emulators/contract.ts'
import { createFixedWork } from '../emulators/works.ts'
import type { CreateRequest, Deployment, Engine, KeepWarm } from '../engine/contract.ts'
import { createEngine } from '../engine/engine.ts'
import type { Model } from '../models/contract.ts'
import type { Provider } from '../providers/contract.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { createSimulatedClock, type SimulatedClock } from './clock.ts'
import { createMemoryFiles } from './memory-files.ts'
import { createRandom, createSeededIds } from './random.ts'
import { textModel } from './text-model.ts'

/** How one prediction ended. */
export interface End {
  readonly status: string
  readonly code: string | null
  /** Runs that were started and that the vendor would bill. */
  readonly submits: number
  /** Runs that go on there after everything is settled. */
  readonly running: number
  readonly settled: boolean
}

/** Everything but the number of runs, where all went well in the end. */
export const good: Omit<End, 'submits'> = { status: 'succeeded', code: null, running: 0, settled: true }

/** What the caller or the configuration must change first, wherever it happens: with the code that says so. */
export const refusals: readonly (readonly [FaultName, FailureCode])[] = [
  ['create-401', 'auth_rejected'],
  ['create-402', 'payment_required'],
  ['create-403', 'account_locked'],
  ['create-404', 'deployment_missing'],
  ['create-413', 'input_too_large'],
]

/** What every emulator is made of. Its `send` reaches the engine's webhooks and the upload links. */
export interface EmulatorParts {
  readonly clock: SimulatedClock
  readonly random: Random
  readonly work: Work
  readonly faults: readonly string[]
  readonly send: typeof globalThis.fetch
}

/** One vendor, and how it and we are set up. */
export interface Setting {
  readonly emulator: (parts: EmulatorParts) => Emulator
  /** Gets the emulator as a `fetch`, for a provider that does not take the engine's. */
  readonly provider: (fetch: typeof globalThis.fetch) => Provider
  readonly target: object
  /** Whether the vendor's workers can reach us. Default true. */
  readonly reachable?: boolean
  readonly policy?: Partial<Policy>
  /** Milliseconds that the work takes. Default 10 s. */
  readonly durationMs?: number
  /** Milliseconds to the start of the prediction. Default 0. */
  readonly beginAfterMs?: number
  /** What is asked for, and the file that the work makes of it. Default: a text without an input. */
  readonly errand?: Errand
  /** When its deployment is kept warm. Default: never. */
  readonly keepWarm?: KeepWarm
  /** A second place after the first. Default: none. */
  readonly second?: (clock: SimulatedClock) => SecondPlace
}

export interface Errand {
  readonly model: Model
  readonly input: JsonObject
  readonly output: { readonly name: string; readonly mediaType: string; readonly bytes: Uint8Array<ArrayBuffer> }
}

/** Another deployment of the same route, with the emulator that answers at its host. */
export interface SecondPlace {
  readonly provider: Provider
  readonly target: object
  readonly emulator: Emulator
  readonly host: string
}

/** The prediction that these tests create. */
export const wish: CreateRequest = {
  model: textModel.name,
  input: {},
  owner: 'local',
  source: 'api',
  files: {},
  cancelAfterMs: null,
  webhook: null,
}

const plainErrand: Errand = {
  model: textModel,
  input: {},
  output: { name: 'text.txt', mediaType: 'text/plain', bytes: new TextEncoder().encode('done') },
}

/** One prediction through the real engine and adapter on simulated time, under one fault plan, until nothing is open. */
export async function predict(faults: readonly string[], setting: Setting): Promise<End> {
  const { engine, clock, emulator, close } = await openEngine(faults, setting)
  await clock.advance(setting.beginAfterMs ?? 0)
  const { model, input } = setting.errand ?? plainErrand
  const { record } = await engine.create({ ...wish, model: model.name, input })
  let last = record
  for (let waited = 0; waited < 120 && last.settledAt === null; waited++) {
    await clock.advance(30_000)
    last = (await engine.get(record.id))?.record ?? last
    // The deadline is a promise whatever the provider does.
    if (clock.now() > last.deadlineAt + 30_000) expect(isTerminal(last.status)).toBe(true)
  }
  const { submits, running } = emulator.state()
  await close()
  return { status: last.status, code: last.failure?.code ?? null, submits, running, settled: last.settledAt !== null }
}

/** A started engine with one deployment at an emulator. */
export interface OpenedEngine {
  readonly engine: Engine
  readonly clock: SimulatedClock
  readonly emulator: Emulator
  /** Stops all of it; within a minute of simulated time. */
  close(): Promise<void>
}

/** Opens what `predict` runs in, for tests that do more than wait for one end. */
export async function openEngine(faults: readonly string[], setting: Setting): Promise<OpenedEngine> {
  const { reachable = true, durationMs = 10_000 } = setting
  const clock = createSimulatedClock()
  const random = createRandom(1)
  const files = createMemoryFiles()
  const { model, output } = setting.errand ?? plainErrand
  const second = setting.second?.(clock) ?? null
  const emulator = setting.emulator({
    clock,
    random,
    work: createFixedWork({ clock, ...output, durationMs }),
    faults,
    async send(input, init) {
      const request = new Request(input, { ...init, duplex: 'half' } as RequestInit)
      const [, place = '', attemptId = '', secret = ''] = new URL(request.url).pathname.split('/')
      if (place === 'inputs') {
        const file = await files.open(new URL(request.url).pathname.slice('/inputs/'.length))
        return new Response(file?.body ?? null, { status: file === null ? 404 : 200 })
      }
      if (place === 'uploads') {
        const body = request.body ?? new ReadableStream()
        const stored = await files.put(`uploads/${attemptId}/${secret}`, body, { maxBytes: model.output.maxBytes })
        return new Response(null, { status: stored.kind === 'exists' ? 409 : 201 })
      }
      try {
        await engine.hear(provider.kind, attemptId, secret, { headers: request.headers, body: () => request.bytes() })
        return new Response(null, { status: 204 })
      } catch {
        return new Response(null, { status: 401 })
      }
    },
  })
  const fetch: typeof globalThis.fetch = (input, init) => {
    const request = new Request(input, init)
    return (new URL(request.url).host === second?.host ? second.emulator : emulator).fetch(request)
  }
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const provider = setting.provider(fetch)
  const deploy = (provider: Provider, target: object, place: string): Deployment => ({
    name: `text@${place}`,
    providerName: place,
    provider,
    target: provider.parseTarget(target),
    concurrency: 4,
  })
  const { keepWarm } = setting
  const deployments = [{ ...deploy(provider, setting.target, provider.kind), ...(keepWarm && { keepWarm }) }]
  if (second !== null) deployments.push(deploy(second.provider, second.target, 'second'))
  const policy = { ...defaultPolicy, ...setting.policy }
  const engine = createEngine({
    name: 'engine-1',
    alone: true,
    store,
    files,
    async download(url, { signal }) {
      const response = await fetch(url, { signal }).catch((cause: unknown) =>
        refuse('provider_unreachable', 'cut', { cause }),
      )
      if (!response.ok || response.body === null) return refuse('input_invalid', `${response.status}`)
      const length = Number(response.headers.get('content-length'))
      return { body: response.body, mediaType: output.mediaType, bytes: length, name: output.name }
    },
    routes: new Map([[model.name, { model, deployments, policy }]]),
    links: {
      input: key => (reachable ? `https://us.test/inputs/${key}` : null),
      upload: (attemptId, name) => (reachable ? `https://us.test/uploads/${attemptId}/${name}` : null),
      webhook: (_, attemptId, secret) => (reachable ? `https://us.test/hooks/${attemptId}/${secret}` : null),
    },
    serverKey: 'key',
    clock,
    random,
    newId: createSeededIds(random),
    fetch,
    notify: async () => true,
    log: () => {},
  })
  await engine.start()
  return {
    engine,
    clock,
    emulator,
    async close() {
      const stopped = engine.stop()
      await clock.advance(60_000)
      await stopped
      emulator.close()
      second?.emulator.close()
      await store.close()
    },
  }
}
