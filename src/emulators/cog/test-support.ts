import { expect } from 'vitest'
import { refuse } from '../../core/failure.ts'
import { defaultPolicy, type Policy } from '../../core/policy.ts'
import { isTerminal } from '../../core/prediction.ts'
import { createEngine } from '../../engine/engine.ts'
import type { Provider } from '../../providers/contract.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createMemoryFiles } from '../../testing/memory-files.ts'
import { createRandom, createSeededIds } from '../../testing/random.ts'
import { textModel } from '../../testing/text-model.ts'
import type { FaultName } from '../catalogue.ts'
import { asFetch, type Emulator } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import type { CogEmulatorOptions } from './index.ts'

/** How one prediction ended. */
export interface End {
  readonly status: string
  readonly code: string | null
  /** Runs that were started and are paid. */
  readonly submits: number
  /** Runs that go on after everything is settled. */
  readonly running: number
  readonly settled: boolean
}

export interface Setting {
  readonly provider: Provider
  readonly target: object
  readonly create: (options: CogEmulatorOptions) => Emulator
  /** The model is our kit: hello, upload by signed link. Default true. */
  readonly kit?: boolean
  /** Whether the server can reach us. Default true. */
  readonly reachable?: boolean
  readonly policy?: Partial<Policy>
  /** Milliseconds to the start of the prediction. Default 10 s: the server is ready. */
  readonly beginAfterMs?: number
}

/** One prediction through the real engine and adapter on simulated time, under one fault plan, until nothing is open. */
export async function predict(faults: readonly string[], setting: Setting): Promise<End> {
  const { provider, kit = true, reachable = true, beginAfterMs = 10_000 } = setting
  const clock = createSimulatedClock()
  const random = createRandom(1)
  const files = createMemoryFiles()
  const bytes = new TextEncoder().encode('done')
  const emulator = setting.create({
    clock,
    random,
    work: createFixedWork({ clock, name: 'text.txt', mediaType: 'text/plain', bytes }),
    faults,
    async send(input, init) {
      const request = new Request(input, { ...init, duplex: 'half' } as RequestInit)
      const [, place = '', attemptId = '', secret = ''] = new URL(request.url).pathname.split('/')
      if (place === 'uploads') {
        const body = request.body ?? new ReadableStream()
        const stored = await files.put(`uploads/${attemptId}/${secret}`, body, { maxBytes: 1000 })
        return new Response(null, { status: stored.kind === 'exists' ? 409 : 201 })
      }
      try {
        await engine.hear(provider.kind, attemptId, secret, { headers: request.headers, body: () => request.bytes() })
        return new Response(null, { status: 200 })
      } catch {
        return new Response(null, { status: 401 })
      }
    },
  })
  const fetch = asFetch(emulator)
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const deployment = {
    name: `text@${provider.kind}`,
    providerName: provider.kind,
    provider,
    target: provider.parseTarget({ ...setting.target, kit }),
    concurrency: 1,
  }
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
      return { body: response.body, mediaType: 'text/plain', bytes: length, name: 'text.txt' }
    },
    routes: new Map([[textModel.name, { model: textModel, deployments: [deployment], policy }]]),
    links: {
      input: () => null,
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
  await clock.advance(beginAfterMs)
  const rest = { files: {}, cancelAfterMs: null, webhook: null }
  const { record } = await engine.create({ model: textModel.name, input: {}, owner: 'local', source: 'api', ...rest })
  let last = record
  for (let waited = 0; waited < 120 && last.settledAt === null; waited++) {
    await clock.advance(30_000)
    last = (await engine.get(record.id))?.record ?? last
    // The deadline is a promise whatever the provider does.
    if (clock.now() > last.deadlineAt + 30_000) expect(isTerminal(last.status)).toBe(true)
  }
  const { submits, running } = emulator.state()
  const stopped = engine.stop()
  await clock.advance(60_000)
  await stopped
  emulator.close()
  await store.close()
  return { status: last.status, code: last.failure?.code ?? null, submits, running, settled: last.settledAt !== null }
}

/** Everything but the number of runs, where all went well in the end. */
export const good: Omit<End, 'submits'> = { status: 'succeeded', code: null, running: 0, settled: true }

/** What the caller, the configuration or the machine's owner must change first. */
const final = new Map<FaultName, string>([
  ['create-401', 'auth_rejected'],
  ['create-402', 'payment_required'],
  ['create-403', 'account_locked'],
  ['create-404', 'deployment_missing'],
  ['create-413', 'input_too_large'],
  ['create-422', 'input_invalid'],
  ['boot-forever', 'rate_limited'],
  ['setup-failed', 'boot_timeout'],
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
  ['worker-crash', 'no_capacity'],
])
/** Of these, what fails a run that was started and is paid. */
const paid: readonly FaultName[] = ['oom', 'cuda-oom', 'worker-crash']
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  'status-404-later',
  'stall',
  'cuda-poisoned',
  'model-error',
  'sleeps-while-working',
  'upload-error',
  'output-short',
  'output-corrupt',
]
/** What costs the output of a stranger's model, which nobody but its last webhook names. */
const twiceWithout: readonly FaultName[] = [
  'webhook-lost',
  'empty-output',
  'output-path',
  'output-expired',
  'output-truncated',
  'output-hang',
]

/** How a prediction ends, with one server and nothing else, that meets this fault once. */
export function endAfter(name: FaultName, kit: boolean): End {
  const code = final.get(name)
  if (code !== undefined) return { ...good, status: 'failed', code, submits: paid.includes(name) ? 1 : 0 }
  return { ...good, submits: twice.includes(name) || (!kit && twiceWithout.includes(name)) ? 2 : 1 }
}
