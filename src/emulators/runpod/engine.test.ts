import { expect, test } from 'vitest'
import { refuse } from '../../core/failure.ts'
import { defaultPolicy } from '../../core/policy.ts'
import { isTerminal } from '../../core/prediction.ts'
import { createEngine } from '../../engine/engine.ts'
import { runpod } from '../../providers/runpod/index.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createMemoryFiles } from '../../testing/memory-files.ts'
import { createRandom, createSeededIds } from '../../testing/random.ts'
import { textModel } from '../../testing/text-model.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { asFetch } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import { createRunpodEmulator } from './index.ts'

interface End {
  readonly status: string
  readonly code: string | null
  /** Jobs that RunPod would bill. */
  readonly submits: number
  /** Jobs that it would still bill after everything is settled. */
  readonly running: number
  readonly settled: boolean
}

interface Setting {
  /** The handler is our kit: hello, upload by signed link. Default true. */
  readonly kit?: boolean
  /** Whether RunPod's workers can reach us. Default true. */
  readonly reachable?: boolean
}

/** One prediction through the real engine and adapter on simulated time, under one fault plan, until nothing is open. */
async function predict(faults: readonly string[], { kit = true, reachable = true }: Setting = {}): Promise<End> {
  const clock = createSimulatedClock()
  const random = createRandom(1)
  const files = createMemoryFiles()
  const bytes = new TextEncoder().encode('done')
  const emulator = createRunpodEmulator({
    clock,
    random,
    work: createFixedWork({ clock, name: 'text.txt', mediaType: 'text/plain', bytes }),
    faults,
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
        await engine.hear('runpod', attemptId, secret, { headers: request.headers, body: () => request.bytes() })
        return new Response(null, { status: 204 })
      } catch {
        return new Response(null, { status: 401 })
      }
    },
  })
  const fetch = asFetch(emulator)
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const provider = runpod({ apiKey: 'k', baseUrl: 'https://runpod.test/v2' })
  const deployment = {
    name: 'text@runpod',
    providerName: 'runpod',
    provider,
    target: provider.parseTarget({ endpoint: 'abc123', hardware: 'l40s', kit }),
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
const final = new Map<FaultName, string>([
  ['create-400', 'input_invalid'],
  ['create-401', 'auth_rejected'],
  ['create-402', 'payment_required'],
  ['create-403', 'account_locked'],
  ['create-404', 'deployment_missing'],
  ['create-413', 'input_too_large'],
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
])
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  // A cold start counts as queue here, and this one is longer than the policy's five minutes for that.
  'boot-slow',
  ...(['queue-forever', 'boot-forever', 'crash-loop', 'scaled-down', 'timed-out', 'stall'] as const),
  ...(['worker-killed', 'cuda-poisoned', 'model-error', 'upload-error'] as const),
]
/** What also costs a kit's output, which nobody downloads. */
const twiceWithKit: readonly FaultName[] = [...twice, 'output-short', 'output-corrupt']
/** What costs the output of a stranger's handler, which comes by its bucket's URL. */
const twiceWithout: readonly FaultName[] = [
  ...twiceWithKit,
  ...(['status-404-later', 'empty-output', 'output-path', 'output-expired'] as const),
  ...(['output-truncated', 'output-hang'] as const),
]

test.each(faultsAt('runpod'))(
  '%s, once, with our kit: the prediction ends well, with as few runs as can be',
  async name => {
    const code = final.get(name)
    if (code !== undefined) expect(await predict([`${name}*1`])).toMatchObject({ ...good, status: 'failed', code })
    else expect(await predict([`${name}*1`])).toEqual({ ...good, submits: twiceWithKit.includes(name) ? 2 : 1 })
  },
)

test.each(faultsAt('runpod').filter(name => !final.has(name)))("%s, once, with a stranger's handler", async name => {
  const submits = twiceWithout.includes(name) ? 2 : 1
  expect(await predict([`${name}*1`], { kit: false })).toEqual({ ...good, submits })
})

test('a lost start is one run: the hello gives its id, and where that is lost, the webhook of its end', async () => {
  expect(await predict(['accept-then-reset'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['accept-then-reset', 'hello-lost'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['accept-then-reset', 'webhook-lost'])).toEqual({ ...good, submits: 1 })
})

test("a lost start of a stranger's handler whose webhook is lost too is a second run, not an endless wait", async () => {
  expect(await predict(['accept-then-reset*1', 'webhook-lost*1'], { kit: false })).toEqual({ ...good, submits: 2 })
})

test('a result that a late progress update overwrote comes by the webhook; without it the upload is found', async () => {
  expect(await predict(['progress-late'])).toEqual({ ...good, submits: 1 })
  expect(await predict(['progress-late*1', 'webhook-lost*1'])).toEqual({ ...good, submits: 1 })
})

test('a kit that cannot reach us is refused before any money is spent', async () => {
  const end = await predict([], { reachable: false })
  expect(end).toEqual({ ...good, status: 'failed', code: 'no_route_for_bytes', submits: 0 })
})

test.each([
  ['stall', 'stalled', 3],
  ['crash-loop', 'queue_timeout', 3],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await predict([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})

test('many faults at once: one output, few runs', async () => {
  const plan = ['create-504', 'status-503', 'status-429@date', 'progress-restart', 'run-twice', 'webhook-duplicate']
  expect(await predict(plan)).toEqual({ ...good, submits: 1 })
})
