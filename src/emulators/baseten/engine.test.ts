import { expect, test } from 'vitest'
import { refuse } from '../../core/failure.ts'
import { defaultPolicy } from '../../core/policy.ts'
import { isTerminal } from '../../core/prediction.ts'
import { createEngine } from '../../engine/engine.ts'
import { baseten } from '../../providers/baseten/index.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createMemoryFiles } from '../../testing/memory-files.ts'
import { createRandom, createSeededIds } from '../../testing/random.ts'
import { textModel } from '../../testing/text-model.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { asFetch } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import { createBasetenEmulator } from './index.ts'

interface End {
  readonly status: string
  readonly code: string | null
  /** Requests that Baseten took. */
  readonly submits: number
  /** Requests that go on there after everything is settled: what runs cannot be stopped. */
  readonly running: number
  readonly settled: boolean
}

interface Setting {
  /** The model is our kit: hello, upload by signed link. Default true. */
  readonly kit?: boolean
  /** Default `async`. */
  readonly mode?: 'async' | 'held'
}

/** One prediction through the real engine and adapter on simulated time, under one fault plan, until nothing is open. */
async function predict(faults: readonly string[], setting: Setting = {}): Promise<End> {
  const { engine, clock, emulator, close } = await open({ faults, ...setting })
  const { record } = await engine.create(wish)
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

const wish = {
  model: textModel.name,
  input: {},
  owner: 'local',
  source: 'api',
  files: {},
  cancelAfterMs: null,
  webhook: null,
} as const

interface Opening extends Setting {
  readonly faults: readonly string[]
  /** Whether Baseten's replicas and webhooks can reach us. Default true. */
  readonly reachable?: boolean
}

async function open({ faults, kit = true, mode = 'async', reachable = true }: Opening) {
  const clock = createSimulatedClock()
  const random = createRandom(1)
  const files = createMemoryFiles()
  const bytes = new TextEncoder().encode('done')
  const emulator = createBasetenEmulator({
    clock,
    random,
    work: createFixedWork({ clock, name: 'text.txt', mediaType: 'text/plain', bytes }),
    faults,
    webhookSecrets: ['whsec_new', 'whsec_old'],
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
        await engine.hear('baseten', attemptId, secret, { headers: request.headers, body: () => request.bytes() })
        return new Response(null, { status: 204 })
      } catch {
        return new Response(null, { status: 401 })
      }
    },
  })
  const fetch = asFetch(emulator)
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const provider = baseten({ apiKey: 'k', mode, baseUrl: 'https://baseten.test', webhookSecrets: ['whsec_old'] })
  const deployment = {
    name: 'text@baseten',
    providerName: 'baseten',
    provider,
    target: provider.parseTarget({ model: 'abcd1234', hardware: 'l4', kit }),
    concurrency: 4,
  }
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
    routes: new Map([[textModel.name, { model: textModel, deployments: [deployment], policy: defaultPolicy }]]),
    links: {
      input: () => (reachable ? 'https://us.test/files/1' : null),
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
      await store.close()
    },
  }
}

const good = { status: 'succeeded', code: null, running: 0, settled: true }

/** What the caller or the configuration must change first: no second run at the same place. */
const final = new Map<FaultName, readonly [code: string, submits: number]>([
  ['create-400', ['input_invalid', 0]],
  ['create-401', ['auth_rejected', 0]],
  ['create-402', ['payment_required', 0]],
  ['create-403', ['account_locked', 0]],
  ['create-404', ['deployment_missing', 0]],
  ['create-413', ['input_too_large', 0]],
  ['deactivated', ['deployment_missing', 1]],
])
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  // A cold start counts as queue here, and this one is longer than the policy's five minutes for that.
  'boot-slow',
  ...(['queue-forever', 'boot-forever', 'timed-out', 'not-ready', 'stall', 'oom', 'cuda-poisoned'] as const),
  ...(['model-error', 'upload-error', 'output-short', 'output-corrupt'] as const),
]
/** What also costs the result of a model that is no kit: it comes by webhook only, and by a link to a bucket. */
const twiceWithout: readonly FaultName[] = [
  ...twice,
  ...(['webhook-lost', 'webhook-skewed', 'webhook-swallowed', 'status-404-later'] as const),
  ...(['empty-output', 'output-expired', 'output-truncated', 'output-hang'] as const),
  // A stranger's exception is hidden: that its memory ran out looks like any other error.
  'cuda-oom',
]
/** What stalls goes on at Baseten until its own end. */
const runsOn: readonly FaultName[] = ['stall']

test.each(faultsAt('baseten'))(
  '%s, once, with our kit: the prediction ends well, with as few runs as can be',
  async name => {
    const [code, submits = 1] = name === 'cuda-oom' ? ['out_of_memory'] : (final.get(name) ?? [])
    const end = await predict([`${name}*1`])
    if (code !== undefined) expect(end).toEqual({ ...good, status: 'failed', code, submits })
    else expect(end).toEqual({ ...good, submits: twice.includes(name) ? 2 : 1, running: runsOn.includes(name) ? 1 : 0 })
  },
)

test.each(faultsAt('baseten').filter(name => !final.has(name)))('%s, once, with a model that is no kit', async name => {
  const submits = twiceWithout.includes(name) ? 2 : 1
  const running = runsOn.includes(name) ? 1 : 0
  expect(await predict([`${name}*1`], { kit: false })).toEqual({ ...good, submits, running })
})

test('a lost start is one run: the hello gives its id, and where that is lost, the webhook of its end', async () => {
  expect(await predict(['accept-then-reset'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['accept-then-reset', 'hello-lost'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['accept-then-reset', 'webhook-lost'])).toEqual({ ...good, submits: 1 })
})

test('a lost start whose webhook is lost too is a second run, not an endless wait', async () => {
  expect(await predict(['accept-then-reset*1', 'webhook-lost*1'], { kit: false })).toEqual({ ...good, submits: 2 })
})

test('where the webhook is always lost only a kit gets its result home, and the failure says why', async () => {
  expect(await predict(['webhook-lost'])).toEqual({ ...good, submits: 1 })
  const { engine, clock, close } = await open({ faults: ['webhook-lost'], kit: false })
  const { record } = await engine.create(wish)
  await clock.advance(30 * 60_000)
  const { failure } = (await engine.get(record.id))?.record ?? {}
  await close()
  expect(failure?.code).toBe('output_lost')
  expect(failure?.message).toContain('its webhook could not be delivered (Baseten tries twice), and Baseten keeps no')
})

test('a forged webhook changes nothing, a late one is waited for, a doubled one is one', async () => {
  const plan = ['webhook-forged', 'webhook-late@60', 'webhook-duplicate']
  expect(await predict(plan, { kit: false })).toEqual({ ...good, submits: 1 })
})

test('without a public URL nothing is even created, because no result could come back', async () => {
  const { engine, emulator, close } = await open({ faults: [], reachable: false })
  await expect(engine.create(wish)).rejects.toMatchObject({ failure: { code: 'no_route_for_bytes' } })
  expect(emulator.state().submits).toBe(0)
  await close()
})

test.each([
  ['before it runs', ['queue-forever', 'cancel-lost'], 1, 0],
  ['while it runs, which goes on to its end', [], 1, 0],
  ['in vain, because it hangs', ['stall'], 1, 1],
] as const)('a cancel %s ends the prediction at once and the account in time', async (_, faults, submits, running) => {
  const { engine, clock, emulator, close } = await open({ faults })
  const { record } = await engine.create(wish)
  await clock.advance(8_000)
  await engine.cancel(record.id)
  await clock.advance(0)
  expect((await engine.get(record.id))?.record.status).toBe('canceled')
  await clock.advance(15 * 60_000)
  const last = (await engine.get(record.id))?.record
  expect([last?.settledAt === null, last?.output]).toEqual([false, null])
  expect(emulator.state()).toMatchObject({ submits, running })
  await close()
})

test.each([[true], [false]])('what a run cost is known although its webhook does not tell (kit: %s)', async kit => {
  const { engine, clock, close } = await open({ faults: ['hello-lost'], kit })
  const { record } = await engine.create(wish)
  await clock.advance(30_000)
  const [attempt] = (await engine.get(record.id))?.record.attempts ?? []
  await close()
  // Two seconds of boot, ten of work and 0.3 for the answer, in whole seconds, of an L4.
  expect(attempt?.cost).toEqual({ amount: (13 * 0.01414) / 60, currency: 'USD', estimated: true })
})

test.each([
  ['stall', 'deadline_exceeded', 3, 3],
  ['not-ready', 'boot_timeout', 3, 0],
  ['create-refused', 'provider_unreachable', 0, 0],
  ['create-503', 'start_unknown', 0, 0],
] as const)('%s, each time: the prediction fails in time', async (name, code, submits, running) => {
  expect(await predict([name])).toEqual({ status: 'failed', code, submits, running, settled: true })
})

test('many faults at once: one output, few runs', async () => {
  const plan = ['create-504', 'status-503', 'status-429@date', 'progress-restart', 'webhook-duplicate']
  expect(await predict(plan)).toEqual({ ...good, submits: 1 })
})

/** On a held connection nothing is asked, heard or cancelled. */
const heldFaults = faultsAt('baseten').filter(
  name => !final.has(name) && !/^((status|webhook|cancel|hello)-|weird-status|html-200|error-object-200)/.test(name),
)
const heldTwice: readonly FaultName[] = twice.filter(name => name !== 'boot-slow')
/** What also costs the answer of a model that is no kit: there is no other way to its result. */
const heldTwiceWithout: readonly FaultName[] = [
  ...heldTwice,
  ...(['accept-then-reset', 'create-500', 'create-502', 'create-504', 'create-524', 'create-hang'] as const),
  ...(['create-html-200', 'create-error-object-200', 'empty-output', 'cuda-oom'] as const),
  ...(['output-expired', 'output-truncated', 'output-hang'] as const),
]

test.each(heldFaults)('%s, once, on a held connection: the prediction ends well', async name => {
  const running = runsOn.includes(name) ? 1 : 0
  const kit = await predict([`${name}*1`], { mode: 'held' })
  if (name === 'cuda-oom') expect(kit).toEqual({ ...good, status: 'failed', code: 'out_of_memory', submits: 1 })
  else expect(kit).toEqual({ ...good, submits: heldTwice.includes(name) ? 2 : 1, running })
  const other = await predict([`${name}*1`], { mode: 'held', kit: false })
  expect(other).toEqual({ ...good, submits: heldTwiceWithout.includes(name) ? 2 : 1, running })
})

test('a held connection needs no public URL', async () => {
  const { engine, clock, close } = await open({ faults: [], kit: false, mode: 'held', reachable: false })
  const { record } = await engine.create(wish)
  await clock.advance(30_000)
  expect((await engine.get(record.id))?.record).toMatchObject({ status: 'succeeded', attempts: [{ state: 'won' }] })
  await close()
})
