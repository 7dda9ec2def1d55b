import { expect, test } from 'vitest'
import { refuse } from '../../core/failure.ts'
import { defaultPolicy } from '../../core/policy.ts'
import { isTerminal } from '../../core/prediction.ts'
import { createEngine } from '../../engine/engine.ts'
import { replicate } from '../../providers/replicate/index.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createMemoryFiles } from '../../testing/memory-files.ts'
import { createRandom, createSeededIds } from '../../testing/random.ts'
import { textModel } from '../../testing/text-model.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { asFetch } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import { createReplicateEmulator } from './index.ts'

interface End {
  readonly status: string
  readonly code: string | null
  /** Runs that Replicate would bill. */
  readonly submits: number
  /** Runs that it would still bill after everything is settled. */
  readonly running: number
  readonly settled: boolean
}

/** One prediction through the real engine and adapter on simulated time, under one fault plan, until nothing is open. */
async function predict(faults: readonly string[]): Promise<End> {
  const clock = createSimulatedClock()
  const random = createRandom(1)
  const work = createFixedWork({
    clock,
    name: 'text.txt',
    mediaType: 'text/plain',
    bytes: new TextEncoder().encode('done'),
  })
  const emulator = createReplicateEmulator({
    clock,
    random,
    work,
    faults,
    send: async (input, init) => {
      const request = new Request(input, init)
      const [, attemptId = '', secret = ''] = new URL(request.url).pathname.split('/')
      try {
        await engine.hear('replicate', attemptId, secret, { headers: request.headers, body: () => request.bytes() })
        return new Response(null, { status: 204 })
      } catch {
        return new Response(null, { status: 401 })
      }
    },
  })
  const fetch = asFetch(emulator)
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const provider = replicate({ token: 't', baseUrl: 'https://replicate.test/v1' })
  const deployment = {
    name: 'text@replicate',
    providerName: 'replicate',
    provider,
    target: provider.parseTarget({ model: 'test/text', hardware: 'gpu-l40s' }),
    concurrency: 4,
  }
  const engine = createEngine({
    name: 'engine-1',
    alone: true,
    store,
    files: createMemoryFiles(),
    async download(url, { signal }) {
      const response = await fetch(url, { signal }).catch((cause: unknown) =>
        refuse('provider_unreachable', 'cut', { cause }),
      )
      if (!response.ok || response.body === null) return refuse('input_invalid', `${response.status}`)
      const bytes = Number(response.headers.get('content-length'))
      return { body: response.body, mediaType: 'text/plain', bytes, name: 'text.txt' }
    },
    routes: new Map([[textModel.name, { model: textModel, deployments: [deployment], policy: defaultPolicy }]]),
    links: {
      input: () => null,
      upload: () => null,
      webhook: (_, attemptId, secret) => `https://us.test/${attemptId}/${secret}`,
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
  const { model, input, ...rest } = { model: textModel.name, input: {}, files: {}, cancelAfterMs: null, webhook: null }
  const { record } = await engine.create({ model, input, owner: 'local', source: 'api', ...rest })
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

/** What the caller or the configuration must change first: one look, no second try at the same place. */
const final = new Map<FaultName, string>([
  ['create-401', 'auth_rejected'],
  ['create-402', 'payment_required'],
  ['create-403', 'account_locked'],
  ['create-404', 'deployment_missing'],
  ['create-413', 'input_too_large'],
  ['create-422', 'deployment_missing'],
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
])
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  ...(['queue-forever', 'boot-forever', 'boot-timeout', 'aborted', 'stall'] as const),
  ...(['cuda-poisoned', 'model-error', 'interrupted', 'upload-error'] as const),
  ...(['empty-output', 'data-removed', 'output-expired'] as const),
  ...(['output-truncated', 'output-short', 'output-hang', 'output-corrupt'] as const),
]

test.each(faultsAt('replicate'))('%s, once: the prediction ends well, with as few runs as can be', async name => {
  const code = final.get(name)
  const ended = { running: 0, settled: true }
  if (code !== undefined) expect(await predict([`${name}*1`])).toMatchObject({ ...ended, status: 'failed', code })
  else {
    const submits = twice.includes(name) ? 2 : 1
    expect(await predict([`${name}*1`])).toEqual({ ...ended, status: 'succeeded', code: null, submits })
  }
})

test.each([
  ['stall', 'stalled', 3],
  ['boot-forever', 'deadline_exceeded', 3],
  ['empty-output', 'output_lost', 3],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await predict([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})

test('many faults at once: one output, few runs', async () => {
  const plan = [
    'create-504',
    'status-503',
    'status-429@date',
    'progress-restart',
    'webhook-forged',
    'webhook-reordered',
  ]
  expect(await predict(plan)).toEqual({ status: 'succeeded', code: null, submits: 1, running: 0, settled: true })
})
