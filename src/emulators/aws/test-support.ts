import { expect } from 'vitest'
import { refuse } from '../../core/failure.ts'
import { defaultPolicy, type Policy } from '../../core/policy.ts'
import { isTerminal } from '../../core/prediction.ts'
import { createEngine } from '../../engine/engine.ts'
import { warmUp } from '../../providers/aws/test-support.ts'
import type { Provider } from '../../providers/contract.ts'
import { openSqliteStore } from '../../store/sqlite.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createMemoryFiles } from '../../testing/memory-files.ts'
import { createRandom, createSeededIds } from '../../testing/random.ts'
import { textModel } from '../../testing/text-model.ts'
import { asFetch } from '../contract.ts'
import { createFixedWork } from '../works.ts'
import { createAwsEmulator } from './index.ts'

await warmUp()

/** How one prediction ended. */
export interface End {
  readonly status: string
  readonly code: string | null
  /** Runs that AWS would bill. */
  readonly submits: number
  /** Runs that it would still bill after everything is settled. */
  readonly running: number
  readonly settled: boolean
}

/** The best end, but for the number of runs. */
export const good: Omit<End, 'submits'> = { status: 'succeeded', code: null, running: 0, settled: true }

export interface Setting {
  readonly provider: Provider
  readonly target: object
  /** Whether AWS's workers can reach us. Default true. */
  readonly reachable?: boolean
  readonly policy?: Partial<Policy>
}

/** Where and as whom the adapters of these tests call. */
export const access = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIAGOOD', secretAccessKey: 'secret' },
  endpoint: 'https://aws.test',
} as const

/** One prediction through the real engine and adapter on simulated time, under one fault plan, until nothing is open. */
export async function predict(
  faults: readonly string[],
  { provider, target, reachable = true, policy = {} }: Setting,
): Promise<End> {
  const clock = createSimulatedClock()
  const random = createRandom(1)
  const files = createMemoryFiles()
  const bytes = new TextEncoder().encode('done')
  const emulator = createAwsEmulator({
    clock,
    random,
    work: createFixedWork({ clock, name: 'text.txt', mediaType: 'text/plain', bytes }),
    faults,
    credentials: access.credentials,
    async send(input, init) {
      const request = new Request(input, { ...init, duplex: 'half' } as RequestInit)
      const [, kind = '', attemptId = '', secret = ''] = new URL(request.url).pathname.split('/')
      if (kind === 'uploads') {
        const body = request.body ?? new ReadableStream()
        const stored = await files.put(`uploads/${attemptId}/${secret}`, body, { maxBytes: 1000 })
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
  const fetch = asFetch(emulator)
  const store = await openSqliteStore({ path: ':memory:', now: clock.now })
  const deployment = {
    name: `text@${provider.kind}`,
    providerName: provider.kind,
    provider,
    target: provider.parseTarget(target),
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
    routes: new Map([
      [textModel.name, { model: textModel, deployments: [deployment], policy: { ...defaultPolicy, ...policy } }],
    ]),
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
