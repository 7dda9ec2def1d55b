// Loaded before anything is measured: the adapter loads it with its first call, which takes no simulated time then.
import 'modal'
import { expect, test } from 'vitest'
import { refuse } from '../../core/failure.ts'
import { defaultPolicy, type Policy } from '../../core/policy.ts'
import { isTerminal } from '../../core/prediction.ts'
import { createEngine } from '../../engine/engine.ts'
import { modal } from '../../providers/modal/index.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createMemoryFiles } from '../../testing/memory-files.ts'
import { createRandom, createSeededIds } from '../../testing/random.ts'
import { textModel } from '../../testing/text-model.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { asFetch } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import { createModalEmulator, grpcOverFetch } from './index.ts'

interface End {
  readonly status: string
  readonly code: string | null
  /** Calls that Modal would bill. */
  readonly submits: number
  /** Calls that it would still bill after everything is settled. */
  readonly running: number
  readonly settled: boolean
}

interface Setting {
  readonly mode?: 'functions' | 'web'
  /** The function is our kit: hello, upload by signed link. Default true. */
  readonly kit?: boolean
  /** Whether Modal's containers can reach us. Default true. */
  readonly reachable?: boolean
  readonly policy?: Partial<Policy>
  /** How long the work takes, default 10 s, and how long the function lets it, default 300 s. */
  readonly durationMs?: number
  readonly timeoutMs?: number
}

/** One prediction through the real engine, adapter and SDK on simulated time, under one fault plan, until nothing is open. */
async function predict(faults: readonly string[], setting: Setting = {}): Promise<End> {
  const { mode = 'functions', kit = true, reachable = true, durationMs = 10_000, timeoutMs = 300_000 } = setting
  const clock = createSimulatedClock()
  const random = createRandom(1)
  const files = createMemoryFiles()
  const bytes = new TextEncoder().encode('done')
  const emulator = createModalEmulator({
    clock,
    random,
    work: createFixedWork({ clock, name: 'text.txt', mediaType: 'text/plain', bytes, durationMs }),
    faults,
    timeoutMs,
    async send(input, init) {
      const request = new Request(input, { ...init, duplex: 'half' } as RequestInit)
      const [, kind = '', attemptId = '', secret = ''] = new URL(request.url).pathname.split('/')
      if (kind === 'uploads') {
        const stored = await files.put(`uploads/${attemptId}/${secret}`, request.body ?? new ReadableStream(), {
          maxBytes: 1000,
        })
        return new Response(null, { status: stored.kind === 'exists' ? 409 : 201 })
      }
      try {
        await engine.hear('modal', attemptId, secret, { headers: request.headers, body: () => request.bytes() })
        return new Response(null, { status: 204 })
      } catch {
        return new Response(null, { status: 401 })
      }
    },
  })
  const fetch = asFetch(emulator)
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const provider =
    mode === 'web'
      ? modal({ mode })
      : modal({ tokenId: 'ak', tokenSecret: 'as', grpcMiddleware: [grpcOverFetch(fetch, 'https://modal.test')] })
  const target =
    mode === 'web' ? { url: 'https://modal.test/web/text' } : { app: 'text', function: 'predict', hardware: 'l4' }
  const deployment = {
    name: 'text@modal',
    providerName: 'modal',
    provider,
    target: provider.parseTarget({ ...target, kit }),
    concurrency: 4,
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

const good = { status: 'succeeded', code: null, running: 0, settled: true }

/** What the caller or the configuration must change first: one look, no second try at the same place. */
const refused = new Map<FaultName, string>([
  ['create-401', 'auth_rejected'],
  ['create-402', 'payment_required'],
  ['create-403', 'account_locked'],
  ['create-404', 'deployment_missing'],
  ['create-413', 'input_too_large'],
])
/** What a function tells of itself, and a web framework does not. */
const final = new Map<FaultName, string>([...refused, ['oom', 'out_of_memory'], ['cuda-oom', 'out_of_memory']])

/** What costs a second call, because the first one is lost; the last two spoil an upload that nobody downloads. */
const twiceWithKit: readonly FaultName[] = [
  ...(['queue-forever', 'boot-forever', 'boot-slow', 'boot-timeout', 'crash-loop', 'stall', 'worker-killed'] as const),
  ...(['cuda-poisoned', 'model-error', 'input-lost', 'interrupted', 'upload-error'] as const),
  ...(['output-short', 'output-corrupt'] as const),
]
/** Starts whose answer is lost, and nothing ever tells of them. */
const lostStarts: readonly FaultName[] = [
  ...(['accept-then-reset', 'create-500', 'create-502', 'create-504', 'create-524'] as const),
  ...(['create-html-200', 'create-error-object-200', 'create-hang'] as const),
]
/** What costs a stranger's result, which is nowhere else. */
const twiceWithout: readonly FaultName[] = [
  ...(['weird-status', 'empty-output', 'output-expired', 'output-truncated', 'output-hang'] as const),
  ...twiceWithKit,
  ...lostStarts,
]

test.each(faultsAt('modal'))('%s, once, with our kit: it ends well, with as few calls as can be', async name => {
  const code = final.get(name)
  if (code !== undefined) expect(await predict([`${name}*1`])).toMatchObject({ ...good, status: 'failed', code })
  else expect(await predict([`${name}*1`])).toEqual({ ...good, submits: twiceWithKit.includes(name) ? 2 : 1 })
})

test.each(faultsAt('modal').filter(name => !final.has(name)))("%s, once, with a stranger's function", async name => {
  const lost: readonly FaultName[] = [...twiceWithout, 'status-404-later', 'data-removed']
  expect(await predict([`${name}*1`], { kit: false })).toEqual({ ...good, submits: lost.includes(name) ? 2 : 1 })
})

/** An endpoint does not tell a cold start from work: it may take as long as the run. */
const onceAtEndpoints: readonly FaultName[] = ['boot-slow']

/** A web endpoint has no cancel: what never starts is waited for without end at Modal. */
const endless: readonly FaultName[] = ['queue-forever', 'boot-forever', 'crash-loop', 'worker-killed']

test.each(faultsAt('modal').filter(name => !refused.has(name)))(
  '%s, once, with our kit as a web endpoint',
  async name => {
    const lost = [...twiceWithKit, 'oom', 'cuda-oom'].includes(name) && !onceAtEndpoints.includes(name)
    const submits = lost ? 2 : 1
    expect(await predict([`${name}*1`], { mode: 'web' })).toEqual({
      ...good,
      submits,
      running: endless.includes(name) ? 1 : 0,
    })
  },
)

test.each([...refused])('%s, once, at a web endpoint: %s, and nothing is started', async (name, code) => {
  const end = await predict([`${name}*1`], { mode: 'web' })
  expect(end).toEqual({ ...good, status: 'failed', code, submits: 0 })
})

test.each([...twiceWithout, 'oom', 'cuda-oom'] as const)("%s, once, with a stranger's web endpoint", async name => {
  const end = await predict([`${name}*1`], { mode: 'web', kit: false })
  const submits = onceAtEndpoints.includes(name) ? 1 : 2
  expect(end).toEqual({ ...good, submits, running: endless.includes(name) ? 1 : 0 })
})

test.each(['functions', 'web'] as const)(
  '%s: a lost start is one call: the hello gives its id, and where that is lost, the upload is found',
  async mode => {
    expect(await predict(['accept-then-reset'], { mode })).toEqual({ ...good, submits: 1 })
    expect(await predict(['accept-then-reset', 'hello-lost'], { mode })).toEqual({ ...good, submits: 1 })
  },
)

test('a web endpoint that takes longer than one exchange is asked again at the place that the redirect names', async () => {
  const patient = { queueMs: 600_000, stallMs: 600_000 }
  const slow = { mode: 'web', kit: false, durationMs: 400_000, policy: patient } as const
  expect(await predict([], { ...slow, timeoutMs: 900_000 })).toEqual({ ...good, submits: 1 })
})

test.each(['functions', 'web'] as const)(
  '%s: a kit that cannot reach us is refused before any money is spent',
  async mode => {
    const end = await predict([], { mode, reachable: false })
    expect(end).toEqual({ ...good, status: 'failed', code: 'no_route_for_bytes', submits: 0 })
  },
)

test.each([
  ['stall', 'run_timeout', 3],
  ['crash-loop', 'queue_timeout', 3],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await predict([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})

test('many faults at once: one output, few calls', async () => {
  const plan = ['create-504', 'status-503', 'status-429@float', 'progress-restart']
  expect(await predict(plan)).toEqual({ ...good, submits: 1 })
})
