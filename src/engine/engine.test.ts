import { describe, expect, it } from 'vitest'
import type { Observation } from '../core/observation.ts'
import { isTerminal } from '../core/prediction.ts'
import type { FileField } from '../models/contract.ts'
import type { Provider } from '../providers/contract.ts'
import type { StoredPrediction } from '../store/contract.ts'
import { plainScript } from '../testing/scripted-provider.ts'
import { serverKey } from '../testing/simulation-process.ts'
import { textModel } from '../testing/text-model.ts'
import type { AddFileRequest } from './contract.ts'
import { markerSecret } from './marker.ts'
import { hang, request, setup } from './test-support.ts'

const never = Number.POSITIVE_INFINITY
const endless = { ...plainScript, endAt: never, stallAt: 0.5 }

describe('create', () => {
  it('refuses a model that there is none of, and names those that there are', async () => {
    const stage = await setup()
    const { engine } = await stage.boot()
    await expect(engine.create(request({ model: 'test/other' }))).rejects.toMatchObject({
      status: 404,
      failure: { code: 'deployment_missing', message: expect.stringContaining('test/text') },
    })
  })

  it('refuses before any spend when bytes cannot reach the provider', async () => {
    const stage = await setup({
      dress: provider => ({ ...provider, limits: { ...provider.limits, inputForms: ['url'] } }),
    })
    const { engine } = await stage.boot()
    await expect(engine.create(request())).rejects.toMatchObject({ failure: { code: 'no_route_for_bytes' } })
    expect(await stage.sqlite.list({ owner: null, limit: 1 })).toEqual([])
  })

  it("takes the client's time limit where it is the shorter one, and ends by it as the client expects", async () => {
    const stage = await setup({ policy: { deadlineMs: 60_000 }, script: () => endless })
    const { engine } = await stage.boot()
    const short = await engine.create(request({ cancelAfterMs: 10_000 }))
    const long = await engine.create(request({ cancelAfterMs: 120_000 }))
    await stage.clock.advance(65_000)
    expect(await stage.read(short.record.id)).toMatchObject({ status: 'canceled', failure: null, deadlineBy: 'client' })
    expect(await stage.read(long.record.id)).toMatchObject({ status: 'failed', deadlineBy: 'policy' })
  })
})

describe('a disk without room', () => {
  it('takes on nothing new, whatever is running already', async () => {
    const stage = await setup({ script: () => endless })
    let room = 600
    const retention = { ageMs: null, bytes: null, spareBytes: 500 }
    const { engine } = await stage.boot({ retention, files: { ...stage.files, room: async () => room } })
    const { record } = await engine.create(request())
    room = 499
    const full = { status: 507, failure: { code: 'storage_full' } }
    await expect(engine.create(request())).rejects.toMatchObject(full)
    await expect(engine.addFile(upload('photo'))).rejects.toMatchObject(full)
    expect([stage.files.keys(), (await engine.list({ owner: null, limit: 9 })).length]).toEqual([[], 1])
    await stage.clock.advance(5_000)
    expect(await stage.read(record.id)).toMatchObject({ status: 'processing' })
  })
})

describe('housekeeping', () => {
  it('removes old data in the background, never the file of a prediction that goes on', async () => {
    const model = { ...textModel, fileFields: { image: photoField } }
    const stage = await setup({ model, script: () => endless, policy: { deadlineMs: 3 * 3_600_000 } })
    const retention = { ageMs: 3_600_000, bytes: null, spareBytes: 0 }
    const { engine } = await stage.boot({ retention })
    const [used, unused] = [await engine.addFile(upload('used')), await engine.addFile(upload('unused'))]
    await engine.create(request({ files: { image: used } }))
    await stage.clock.advance(3_600_000 + 11 * 60_000)
    expect([await stage.store.getFile(unused.id), await stage.store.getFile(used.id)]).toEqual([null, used])
    expect(stage.files.keys()).toEqual([used.key])
    await stage.clock.advance(3 * 3_600_000)
    expect(await stage.store.getFile(used.id)).toBe(null)
  })
})

describe('get', () => {
  it('never shows a live status after the deadline, whoever should have driven the prediction', async () => {
    const stage = await setup({ policy: { deadlineMs: 8_000 }, script: () => endless })
    const first = await stage.boot()
    const second = await stage.boot()
    const { record } = await first.engine.create(request())
    await stage.clock.advance(1_000)
    stage.kill(first)
    await stage.clock.advance(6_999)
    expect((await second.engine.get(record.id))?.record.status).toBe('processing')
    await stage.clock.advance(1)
    // Its dead owner's lease has seven more seconds.
    expect((await second.engine.get(record.id))?.record).toMatchObject({
      status: 'failed',
      failure: { code: 'deadline_exceeded' },
    })
    await stage.clock.advance(30_000)
    expect(stage.provider.runs[0]?.canceledAt).not.toBeNull()
  })

  it('is null for an id that nobody has given out', async () => {
    const stage = await setup()
    const { engine } = await stage.boot()
    expect(await engine.get('nothing')).toBeNull()
    expect(await engine.cancel('nothing')).toBeNull()
  })
})

describe('cancel', () => {
  it('ends a prediction at once and its run as soon as the provider confirms', async () => {
    const stage = await setup({ script: () => endless })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(3_000)
    expect((await engine.cancel(record.id))?.record).toMatchObject({ status: 'canceled', settledAt: null })
    await stage.clock.advance(3_000)
    expect(await stage.read(record.id)).toMatchObject({ attempts: [{ state: 'canceled', release: 'confirmed' }] })
    expect((await stage.read(record.id)).settledAt).not.toBeNull()
  })

  it('leaves what has ended as it was', async () => {
    const stage = await setup()
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(5_000)
    expect((await engine.cancel(record.id))?.record).toMatchObject({ status: 'succeeded', cancelRequestedAt: null })
  })

  it('acts through a process that does not drive the prediction', async () => {
    const stage = await setup({ script: () => endless })
    const first = await stage.boot()
    const second = await stage.boot()
    const { record } = await first.engine.create(request())
    await stage.clock.advance(3_000)
    expect((await second.engine.cancel(record.id))?.record.status).toBe('canceled')
    await stage.clock.advance(3_000)
    expect(stage.provider.runs[0]?.canceledAt).not.toBeNull()
    expect((await stage.read(record.id)).attempts[0]?.release).toBe('confirmed')
  })
})

describe('watch', () => {
  async function collect(changes: AsyncIterable<StoredPrediction>): Promise<StoredPrediction[]> {
    const seen: StoredPrediction[] = []
    for await (const change of changes) seen.push(change)
    return seen
  }

  it('shows the record, each change of it, and its end', async () => {
    const stage = await setup({ script: () => ({ ...plainScript, bootAt: 1_500, runAt: 2_500, endAt: 6_500 }) })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    const seen = await stage.finish(collect(engine.watch(record.id, { signal: new AbortController().signal })))
    expect(dedupe(seen.map(({ record }) => record.attempts[0]?.state))).toEqual([
      'submitting',
      'queued',
      'booting',
      'running',
      'collecting',
      'won',
    ])
    expect(seen.at(-1)?.record.status).toBe('succeeded')
    const versions = seen.map(({ version }) => version)
    expect(versions).toEqual(versions.toSorted((a, b) => a - b))
  })

  it('goes on after the version that was seen last, also at another process', async () => {
    const stage = await setup()
    const first = await stage.boot()
    const second = await stage.boot()
    const { record, version } = await first.engine.create(request())
    const signal = new AbortController().signal
    const seen = await stage.finish(collect(second.engine.watch(record.id, { signal, afterVersion: version })))
    expect(seen.length).toBeGreaterThan(1)
    expect(seen.every(change => change.version > version)).toBe(true)
    const last = seen.at(-1)?.version ?? 0
    expect(await collect(second.engine.watch(record.id, { signal, afterVersion: last }))).toEqual([])
    expect(await collect(second.engine.watch(record.id, { signal, afterVersion: last - 1 }))).toHaveLength(1)
  })

  it('ends with its signal and leaves nothing behind', async () => {
    const stage = await setup({ script: () => endless })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    const ending = new AbortController()
    const watching = collect(engine.watch(record.id, { signal: ending.signal }))
    await stage.clock.advance(500)
    const before = stage.clock.waiting
    ending.abort()
    expect((await watching).length).toBeGreaterThan(0)
    await engine.stop()
    expect(before).toBeGreaterThan(0)
    expect(stage.clock.waiting).toBe(0)
  })

  it('shows nothing of what does not exist', async () => {
    const stage = await setup()
    const { engine } = await stage.boot()
    expect(await collect(engine.watch('nothing', { signal: new AbortController().signal }))).toEqual([])
  })
})

describe('hear', () => {
  function deliver(id: string, observation: Observation) {
    return { headers: new Headers({ 'webhook-id': id }), body: async () => Buffer.from(JSON.stringify(observation)) }
  }
  const uri = 'data:text/plain;base64,ZG9uZQ=='
  const delivery = deliver('1', { status: 'succeeded', word: 'succeeded', outputs: [{ kind: 'data', uri }] })
  const progress = (fraction: number): Observation => ({
    status: 'running',
    word: 'running',
    progress: { stage: null, fraction },
  })

  /** A provider that cannot be polled in time: only its webhooks tell. */
  function heard(provider: Provider): Provider {
    return {
      ...provider,
      limits: { ...provider.limits, pollMs: 3_600_000 },
      hear: async ({ headers, body }, _io, _now, { attemptId }) => ({
        deliveryId: headers.get('webhook-id'),
        handle: { id: attemptId },
        observation: JSON.parse(Buffer.from(body).toString()),
      }),
    }
  }

  it('takes in a webhook, and the same one again not at all', async () => {
    const stage = await setup({ dress: heard, script: () => endless })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(100)
    const id = (await stage.read(record.id)).attempts[0]?.id ?? ''
    const tell = (request: typeof delivery) => engine.hear('scripted', id, markerSecret(serverKey, id), request)
    await tell(deliver('early', progress(0.3)))
    await tell(deliver('late', progress(0.6)))
    await tell(deliver('early', progress(0.3)))
    expect((await engine.get(record.id))?.record.progress?.fraction).toBe(0.6)
    await tell(delivery)
    await stage.clock.advance(100)
    expect((await stage.read(record.id)).status).toBe('succeeded')
    const writes = stage.commits.length
    await tell(delivery)
    await stage.clock.advance(100)
    expect(stage.commits.length).toBe(writes)
  })

  it('reaches whoever drives the prediction through any process', async () => {
    const stage = await setup({ dress: heard, script: () => endless })
    const first = await stage.boot()
    const second = await stage.boot()
    const { record } = await first.engine.create(request())
    await stage.clock.advance(100)
    const id = (await stage.read(record.id)).attempts[0]?.id ?? ''
    await second.engine.hear('scripted', id, markerSecret(serverKey, id), delivery)
    await stage.clock.advance(1_000)
    expect(isTerminal((await stage.read(record.id)).status)).toBe(true)
  })

  it('refuses a wrong secret, an unknown attempt and a provider that sends none', async () => {
    const stage = await setup({ dress: heard, script: () => endless })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(100)
    const id = (await stage.read(record.id)).attempts[0]?.id ?? ''
    const refusal = { status: 404, failure: { code: 'input_invalid' } }
    const unread = { ...delivery, body: () => Promise.reject(new Error('It was read.')) }
    await expect(engine.hear('scripted', id, 'wrong', unread)).rejects.toMatchObject(refusal)
    await expect(engine.hear('scripted', id, 'wrong', delivery)).rejects.toMatchObject(refusal)
    await expect(engine.hear('other', id, markerSecret(serverKey, id), delivery)).rejects.toMatchObject(refusal)
    const nobody = markerSecret(serverKey, 'nobody')
    await expect(engine.hear('scripted', 'nobody', nobody, delivery)).rejects.toMatchObject(refusal)
    expect((await stage.read(record.id)).status).not.toBe('succeeded')
  })
})

describe('collecting', () => {
  const url = 'https://files.test/text.txt'
  /** Ends at once and names a URL. */
  const named = (provider: Provider): Provider => ({
    ...provider,
    poll: async () => ({ status: 'succeeded', word: 'succeeded', outputs: [{ kind: 'url', url }] }),
  })

  it('is cut off by a cancel, which acts at once', async () => {
    let cut = false
    const stage = await setup({
      dress: named,
      download: (_url, { signal }) => hang({ signal }).finally(() => (cut = signal.aborted)),
    })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(5_000)
    expect((await stage.read(record.id)).attempts[0]?.state).toBe('collecting')
    const before = stage.now()
    expect((await engine.cancel(record.id))?.record).toMatchObject({
      status: 'canceled',
      completedAt: stage.clock.now(),
    })
    await stage.clock.advance(0)
    expect(cut).toBe(true)
    expect(stage.now()).toBe(before)
  })

  it('is cut off by a cancel at another process', async () => {
    let cut = false
    const stage = await setup({
      dress: named,
      download: (_url, { signal }) => hang({ signal }).finally(() => (cut = signal.aborted)),
    })
    const first = await stage.boot()
    const second = await stage.boot()
    const { record } = await first.engine.create(request())
    await stage.clock.advance(5_000)
    await second.engine.cancel(record.id)
    await stage.clock.advance(1)
    expect(cut).toBe(true)
  })

  it('is cut off by the deadline', async () => {
    let cut = false
    const stage = await setup({
      dress: named,
      policy: { deadlineMs: 20_000 },
      download: (_url, { signal }) => hang({ signal }).finally(() => (cut = signal.aborted)),
    })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(19_999)
    expect(cut).toBe(false)
    await stage.clock.advance(1)
    expect(cut).toBe(true)
    expect(await stage.read(record.id)).toMatchObject({ status: 'failed', failure: { code: 'deadline_exceeded' } })
  })

  it('that waits for its next try when the cancel comes leaves no file', async () => {
    const verify = () => Promise.reject(new Error('The disk is away.'))
    const stage = await setup({ model: { ...textModel, verify } })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(4_000)
    expect((await stage.read(record.id)).attempts).toMatchObject([{ state: 'collecting', pending: [] }])
    expect(stage.files.keys()).toHaveLength(1)
    await engine.cancel(record.id)
    await stage.clock.advance(0)
    expect(stage.files.keys()).toEqual([])
  })

  it('that ends just after a cancel leaves no file', async () => {
    const stage = await setup({
      dress: named,
      // It ignores its signal and is whole at last.
      async download() {
        await new Promise<void>(resolve => void stage.clock.after(10_000, resolve))
        return { body: text('done'), mediaType: 'text/plain', bytes: 4, name: 'text.txt' }
      },
    })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(5_000)
    await engine.cancel(record.id)
    await stage.clock.advance(20_000)
    expect((await stage.read(record.id)).settledAt).not.toBeNull()
    expect(stage.files.keys()).toEqual([])
  })

  it('by a process that has lost its lease leaves no file where the prediction has ended meanwhile', async () => {
    const stage = await setup({ dress: named, download: async () => slow() })
    async function slow() {
      await new Promise<void>(resolve => void stage.clock.after(40_000, resolve))
      return { body: text('done'), mediaType: 'text/plain', bytes: 4, name: 'text.txt' }
    }
    const first = await stage.boot()
    const second = await stage.boot()
    const { record } = await first.engine.create(request())
    await stage.clock.advance(5_000)
    first.freeze()
    await stage.clock.advance(20_000)
    await second.engine.cancel(record.id)
    await stage.clock.advance(1_000)
    first.thaw()
    await stage.clock.advance(60_000)
    expect((await stage.read(record.id)).status).toBe('canceled')
    expect(stage.files.keys()).toEqual([])
  })

  it('of the slower of two hedged attempts leaves no file', async () => {
    const stage = await setup({
      policy: { hedges: 1, stallMs: 5_000, lastStageMs: 5_000 },
      script: job =>
        stage.provider.runs.length === 0
          ? { ...endless, endAt: 12_000 }
          : { ...plainScript, output: job.model && 'done' },
    })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(60_000)
    const ended = await stage.read(record.id)
    expect(ended).toMatchObject({ status: 'succeeded' })
    expect(ended.attempts).toHaveLength(2)
    expect(stage.files.keys()).toEqual([ended.output?.key])
  })
})

describe('notifying', () => {
  it('tells the user of the end until it is taken, one after the other', async () => {
    const told: string[] = []
    const stage = await setup({
      async notify(record, notification) {
        told.push(record.webhook?.queue.find(({ id }) => id === notification)?.event ?? '')
        return told.length !== 1
      },
    })
    const { engine } = await stage.boot()
    const { record } = await engine.create(
      request({ webhook: { url: 'https://user.test/', events: ['start', 'completed'] } }),
    )
    await stage.clock.advance(4_000)
    expect(told).toEqual(['start'])
    expect(await stage.read(record.id)).toMatchObject({ status: 'succeeded', settledAt: null })
    await stage.clock.advance(4_000)
    expect(told).toEqual(['start', 'start', 'completed'])
    expect((await stage.read(record.id)).settledAt).not.toBeNull()
  })
})

async function* text(words: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(words)
}

function dedupe<T>(list: readonly T[]): T[] {
  return list.filter((entry, index) => index === 0 || entry !== list[index - 1])
}

const photoField: FileField = {
  required: true,
  maxBytes: 100,
  check: async () => ({ mediaType: 'image/jpeg', facts: {} }),
}

function upload(words: string): AddFileRequest {
  const body = new Blob([words]).stream()
  return { owner: 'local', name: 'photo.jpg', mediaType: 'image/jpeg', metadata: {}, body, maxBytes: 100 }
}
