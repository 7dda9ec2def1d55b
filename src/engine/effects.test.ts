import { describe, expect, it } from 'vitest'
import type { Effect, PredictionEvent } from '../core/events.ts'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import { defaultPolicy } from '../core/policy.ts'
import type { OutputReference, PredictionRecord } from '../core/prediction.ts'
import type { Download, FileStore } from '../files/contract.ts'
import type { Job, Provider } from '../providers/contract.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { sampleAttempt, samplePrediction } from '../testing/sample-records.ts'
import { createScriptedProvider } from '../testing/scripted-provider.ts'
import { textModel } from '../testing/text-model.ts'
import { createPerformer } from './effects.ts'
import { hang } from './test-support.ts'
import { createUploads } from './uploads.ts'

interface SetupOptions {
  readonly provider?: (provider: Provider) => Partial<Provider>
  readonly record?: Partial<PredictionRecord>
  readonly download?: Download
  readonly files?: (files: FileStore) => Partial<FileStore>
  readonly notify?: () => Promise<boolean>
  readonly hasLost?: () => Promise<boolean>
}

function setup(options: SetupOptions = {}) {
  const clock = createSimulatedClock()
  const scripted = createScriptedProvider({ clock })
  const memory = createMemoryFiles()
  const files: FileStore = { ...memory, ...options.files?.(memory) }
  const provider: Provider = { ...scripted, ...options.provider?.(scripted) }
  const deployment = { name: 'text@scripted', providerName: 'scripted', provider, target: { a: 1 }, concurrency: 1 }
  const log: string[] = []
  const routes = new Map([[textModel.name, { model: textModel, deployments: [deployment], policy: defaultPolicy }]])
  const performer = createPerformer({
    routes,
    files,
    uploads: createUploads({ predictionOf: async () => null, get: async () => null }, files, routes),
    download: options.download ?? (() => Promise.reject(new Error('nothing is downloaded here'))),
    fetch: () => Promise.reject(new Error('nothing is fetched here')),
    links: {
      input: (key, name, expiresAt) => `https://us.test/${key}/${name}?${expiresAt}`,
      upload: (attempt, name) => `https://us.test/uploads/${attempt}/${name}`,
      webhook: (name, attempt, secret) => `https://us.test/webhooks/${name}/${attempt}/${secret}`,
    },
    clock,
    newId: () => 'n1',
    log: (_level, message) => void log.push(message),
    markerSecret: id => `secret of ${id}`,
    notify: options.notify ?? (async () => true),
    hasLost: options.hasLost ?? (async () => true),
    now: clock.now,
  })
  const now = clock.now()
  const record = samplePrediction({
    id: 'p1',
    model: textModel.name,
    deadlineAt: now + 60_000,
    attempts: [sampleAttempt({ id: 'a1', deployment: deployment.name })],
    ...options.record,
  })

  /** Performs an effect while time goes by as far as the answer needs; says how long that was. */
  async function perform(effect: Effect, leaseMs = 15_000): Promise<PredictionEvent & { readonly tookMs: number }> {
    let answer: PredictionEvent | null = null
    void performer.perform(effect, record, now + leaseMs).then(event => (answer = event))
    await clock.advance(0)
    while (answer === null) await clock.advance(100)
    expect(clock.waiting).toBe(0)
    return { ...(answer as PredictionEvent), tookMs: clock.now() - now }
  }
  return { clock, scripted, files: memory, performer, record, log, perform }
}

const addressed = { effect: 'e1', attempt: 'a1', deployment: 'text@scripted' }
const start: Effect = { type: 'start', ...addressed }
const poll: Effect = { type: 'poll', ...addressed, handle: { id: 'a1' } }

describe('a start', () => {
  it('hands the provider everything that it needs, and answers with its handle', async () => {
    let job: Job | undefined
    const file = { key: 'files/f1', name: 'photo.jpg', mediaType: 'image/jpeg', bytes: 3, sha256: 'f', facts: {} }
    const stage = setup({
      provider: provider => ({
        start(given, io) {
          job = given
          return provider.start(given, io)
        },
      }),
      record: { input: { prompt: 'a', image: '/v1/files/f1' }, files: { image: file } },
    })
    await stage.files.put('files/f1', text('abc'), { maxBytes: 10 })
    expect(await stage.perform(start)).toMatchObject({ type: 'started', handle: { id: 'a1' }, seen: null, tookMs: 0 })
    const until = stage.clock.now() + 60_000 + 10 * 60_000
    expect(job).toMatchObject({
      marker: { attemptId: 'a1', secret: 'secret of a1' },
      target: { a: 1 },
      input: { prompt: 'a' },
      files: { image: { name: 'photo.jpg', url: `https://us.test/files/f1/photo.jpg?${until}`, path: null } },
      webhookUrl: 'https://us.test/webhooks/scripted/a1/secret of a1',
      deadlineInMs: 60_000,
      runLimitMs: defaultPolicy.runMs,
    })
    expect(job?.uploadUrl('text.txt')).toBe('https://us.test/uploads/a1/text.txt')
    expect(await new Response(await job?.files.image?.open()).text()).toBe('abc')
  })

  it('names links of a store that is reached without us, for what the kit uploads too', async () => {
    let job: Job | undefined
    const file = { key: 'files/f1', name: 'photo.jpg', mediaType: 'image/jpeg', bytes: 3, sha256: 'f', facts: {} }
    const stage = setup({
      provider: provider => ({
        start(given, io) {
          job = given
          return provider.start(given, io)
        },
      }),
      record: { files: { image: file } },
      files: () => ({
        outside: {
          readUrl: async (key, until, { name }) => `https://s3.test/${key}?${name}&${until}`,
          writeUrl: async (key, until) => `https://s3.test/${key}?${until}`,
          take: async () => 'missing',
        },
      }),
    })
    await stage.perform(start)
    const until = stage.clock.now() + 60_000 + 10 * 60_000
    expect(job?.files.image?.url).toBe(`https://s3.test/files/f1?photo.jpg&${until}`)
    expect(job?.uploadUrl('output')).toBe(`https://s3.test/uploads/a1/output?${until}`)
  })

  it('for which no links can be had is not sent', async () => {
    const refused = async () => refuse('auth_rejected', 'No credentials.')
    const stage = setup({ files: () => ({ outside: { readUrl: refused, writeUrl: refused, take: refused } }) })
    expect(await stage.perform(start)).toMatchObject({ type: 'startRejected', failure: { code: 'auth_rejected' } })
    expect(stage.scripted.runs).toEqual([])
  })

  it('is not sent when the lease is too short for its answer', async () => {
    const stage = setup()
    expect(await stage.perform(start, 5_000)).toMatchObject({ type: 'startRejected', failure: { fault: 'surefoot' } })
    expect(stage.scripted.runs).toEqual([])
    expect(await stage.perform(start, 5_001)).toMatchObject({ type: 'started' })
  })

  it('whose answer does not come in time may have happened, even where the call ignores its signal', async () => {
    const stage = setup({ provider: () => ({ start: () => new Promise<never>(() => {}) }) })
    expect(await stage.perform(start)).toMatchObject({
      type: 'startUnknown',
      failure: { code: 'start_unknown' },
      tookMs: 5_000,
    })
  })

  it('that throws may have happened', async () => {
    const stage = setup({ provider: () => ({ start: () => Promise.reject(new Error('reset')) }) })
    expect(await stage.perform(start)).toMatchObject({
      type: 'startUnknown',
      failure: { code: 'start_unknown', message: 'reset' },
    })
  })

  it.each(['rejected', 'unknown'] as const)('that is %s says so', async kind => {
    const failure = createFailure('no_capacity', 'full')
    const stage = setup({ provider: () => ({ start: async () => ({ kind, failure }) }) })
    const type = kind === 'rejected' ? 'startRejected' : 'startUnknown'
    expect(await stage.perform(start)).toMatchObject({ type, effect: 'e1', attempt: 'a1', failure })
  })
})

describe('a search', () => {
  it('answers with the runs that were found, each with its cost so far', async () => {
    const cost = { amount: 0.5, currency: 'USD', estimated: false } as const
    const over = { handle: { id: 'r1' }, seen: { status: 'succeeded', word: 'done' } } as const
    const stage = setup({ provider: () => ({ find: async () => [over, { handle: { id: 'r2' } }], cost: () => cost }) })
    expect(await stage.perform({ type: 'find', ...addressed, since: 0 })).toMatchObject({
      type: 'found',
      runs: [
        { ...over, cost },
        { handle: { id: 'r2' }, cost: null },
      ],
    })
  })
})

describe('a call that could not be made', () => {
  const away = () => Promise.reject(new SurefootError(createFailure('rate_limited', 'slow down', { retryAfterMs: 7 })))

  it('says nothing about the run: a poll is asked again', async () => {
    expect(await setup({ provider: () => ({ poll: away }) }).perform(poll)).toMatchObject({
      type: 'pollFailed',
      failure: { code: 'rate_limited', retryAfterMs: 7 },
    })
    expect(await setup({ provider: () => ({ poll: (_handle, io) => hang(io) }) }).perform(poll)).toMatchObject({
      type: 'pollFailed',
      failure: { code: 'provider_unreachable' },
      tookMs: 5_000,
    })
  })

  it('says nothing about the run: a cancel counts as asked for, a search as not made', async () => {
    const stage = setup({ provider: () => ({ cancel: away, find: away }) })
    expect(await stage.perform({ ...poll, type: 'cancel' })).toMatchObject({
      type: 'cancelAnswered',
      answer: 'requested',
    })
    expect(await stage.perform({ type: 'find', ...addressed, since: 0 })).toMatchObject({ type: 'findFailed' })
  })

  it('for a deployment that left the configuration is a failure of it', async () => {
    const stage = setup()
    expect(await stage.perform({ ...poll, deployment: 'text@gone' })).toMatchObject({
      type: 'pollFailed',
      failure: { code: 'deployment_missing' },
    })
  })

  it('ends when the engine stops, and says that nobody else is to blame', async () => {
    const stage = setup({ provider: () => ({ poll: (_handle, io) => hang(io) }) })
    const answer = stage.performer.perform(poll, stage.record, 0)
    stage.performer.interrupt(['e1', 'another'])
    expect(await answer).toMatchObject({ type: 'pollFailed', cutOff: true })
    expect(await stage.perform(poll)).not.toHaveProperty('cutOff')
  })

  it('ends when nobody waits for it any more', async () => {
    const stage = setup({ provider: () => ({ poll: (_handle, io) => hang(io) }) })
    const answer = stage.performer.perform(poll, stage.record, 0)
    stage.performer.abort(['e1', 'another'], 'the attempt ended')
    expect(await answer).toMatchObject({ type: 'pollFailed', failure: { message: 'the attempt ended' } })
    expect(stage.log).toEqual([])
    expect(stage.clock.waiting).toBe(0)
  })
})

describe('a delivery to the user', () => {
  const notify: Effect = { type: 'notify', effect: 'e1', notification: 'n1', event: 'completed' }

  const receivers: [how: string, receiver: () => Promise<boolean>, delivered: boolean][] = [
    ['taken', async () => true, true],
    ['refused', async () => false, false],
    ['broken', () => Promise.reject(new Error('reset')), false],
    ['never answered', () => new Promise(() => {}), false],
  ]
  it.each(receivers)('that is %s says so', async (_how, receiver, delivered) => {
    expect(await setup({ notify: receiver }).perform(notify)).toMatchObject({
      type: 'notified',
      notification: 'n1',
      delivered,
    })
  })
})

describe('a collect', () => {
  const outputs: OutputReference[] = [{ kind: 'url', url: 'https://files.test/text.txt' }]
  const collect: Effect = { type: 'collect', ...addressed, outputs }
  const key = 'outputs/p1/a1/text.txt'
  const whole: Download = async () => ({ body: text('done'), mediaType: null, bytes: 4, name: 'text.txt' })

  it('answers with the verified output', async () => {
    expect(await setup({ download: whole }).perform(collect)).toMatchObject({
      type: 'collected',
      output: { key, bytes: 4, facts: { length: 4 } },
    })
  })

  it('ends after its time limit, and may be tried again', async () => {
    const stage = setup({ download: (_url, io) => hang(io) })
    expect(await stage.perform(collect)).toMatchObject({
      type: 'collectFailed',
      failure: { code: 'provider_unreachable' },
      tookMs: defaultPolicy.collectMs,
    })
  })

  /** The write ends whole although its call was cut off: a rename cannot be interrupted. */
  const deaf: SetupOptions = {
    download: whole,
    files: (files: FileStore) => ({
      put: (key: string, body: AsyncIterable<Uint8Array>) => files.put(key, body, { maxBytes: 10 }),
    }),
  }

  it('that nobody wants any more leaves no file, even if that became whole just then', async () => {
    const stage = setup(deaf)
    const answer = stage.performer.perform(collect, stage.record, 0)
    stage.performer.abort(['e1'], 'the prediction ended as canceled')
    expect(await answer).toMatchObject({ type: 'collectFailed' })
    await stage.clock.advance(0)
    expect(stage.files.keys()).toEqual([])
  })

  it.each([
    ['goes on at another process, or has won there', async () => false],
    ['cannot be looked up', () => Promise.reject(new Error('the store is away'))],
  ])('that nobody waits for here leaves its file while its attempt %s', async (_, hasLost) => {
    const stage = setup({ ...deaf, hasLost })
    const answer = stage.performer.perform(collect, stage.record, 0)
    stage.performer.abort(['e1'], 'another process ended the attempt')
    expect(await answer).toMatchObject({ type: 'collectFailed' })
    await stage.clock.advance(0)
    expect(stage.files.keys()).toEqual([key])
  })

  it('that is cut off by a stop leaves its file for the next process', async () => {
    const stage = setup(deaf)
    const answer = stage.performer.perform(collect, stage.record, 0)
    stage.performer.interrupt(['e1'])
    expect(await answer).toMatchObject({ type: 'collectFailed' })
    await stage.clock.advance(0)
    expect(stage.files.keys()).toEqual([key])
  })

  /** A store that keeps what was brought; its source stalls after a first part, or brings nothing at all. */
  function resumed(stallsFrom: 'the first part' | 'the beginning', over: Partial<SetupOptions> = {}) {
    const dropped: string[] = []
    const resumption = { from: 0, total: 4, validator: '"v1"' }
    const stage = setup({
      download: async () => ({ ...(await whole('', { maxBytes: 4, trustedOrigins: [], signal: never })), resumption }),
      files: () => ({
        resumable: {
          left: async () => null,
          write(_key, _body, _resumption, { signal = never, onProgress }) {
            if (stallsFrom === 'the first part') onProgress?.()
            return hang({ signal })
          },
          drop: async key => void dropped.push(key),
          unfinished: () => ReadableStream.from([]),
        },
      }),
      ...over,
    })
    return { ...stage, dropped }
  }
  const never = new AbortController().signal

  it.each([
    ['the first part', { broughtMore: true }],
    ['the beginning', {}],
  ] as const)('that stalls after %s says what it brought, and leaves that for the next', async (stallsFrom, more) => {
    const stage = resumed(stallsFrom)
    const { tookMs: _, ...answer } = await stage.perform(collect)
    expect(answer).toEqual({
      type: 'collectFailed',
      attempt: 'a1',
      effect: 'e1',
      failure: expect.objectContaining({ code: 'provider_unreachable' }),
      ...more,
    })
    expect(stage.dropped).toEqual([])
  })

  it('that is cut off by a stop leaves what it brought; one that nobody wants any more drops it', async () => {
    for (const [end, dropped] of [
      ['interrupt', []],
      ['abort', [key]],
    ] as const) {
      const stage = resumed('the first part')
      const answer = stage.performer.perform(collect, stage.record, 0)
      await stage.clock.advance(0)
      stage.performer[end](['e1'], 'the attempt ended')
      expect(await answer).toMatchObject({ type: 'collectFailed', broughtMore: true })
      await stage.clock.advance(0)
      expect(stage.dropped).toEqual(dropped)
    }
  })

  it('of an attempt that lost is discarded with what is not whole yet', async () => {
    const stage = resumed('the beginning')
    await stage.performer.discard(stage.record, sampleAttempt({ id: 'a1', outputs }))
    expect(stage.dropped).toEqual([key])
  })

  it("of an attempt that lost is discarded; a file store that fails is a line in the log, not the prediction's matter", async () => {
    const stage = setup({ files: () => ({ remove: () => Promise.reject(new Error('EIO')) }) })
    await stage.performer.discard(stage.record, sampleAttempt({ id: 'a1', outputs }))
    expect(stage.log).toEqual(['An output that nobody wants could not be removed.'])
  })
})

async function* text(words: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(words)
}
