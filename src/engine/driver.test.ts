import { describe, expect, it } from 'vitest'
import type { Provider } from '../providers/contract.ts'
import type { Store } from '../store/contract.ts'
import { createScriptedProvider, plainScript } from '../testing/scripted-provider.ts'
import { serverKey } from '../testing/simulation-process.ts'
import { textModel } from '../testing/text-model.ts'
import { markerSecret } from './marker.ts'
import { createHeld, hang, request, type SetupOptions, setup } from './test-support.ts'

const never = Number.POSITIVE_INFINITY
/** Starts at once and works until somebody stops it. */
const endless = { ...plainScript, endAt: never, stallAt: 0.5 }

describe('the first fence: an intent is stored before anything begins', () => {
  it('has the start in the store when the provider is called', async () => {
    const seen: unknown[] = []
    const stage = await setup({
      async before(verb) {
        if (verb !== 'start') return
        const [stored] = await stage.sqlite.list({ owner: null, limit: 1 })
        const attempt = stored?.record.attempts[0]
        seen.push(
          attempt?.state,
          attempt?.pending.map(({ kind }) => kind),
        )
      },
    })
    const { engine } = await stage.boot()
    await engine.create(request())
    await stage.clock.advance(100)
    expect(seen).toEqual(['submitting', ['start']])
  })

  it('begins nothing when the intent cannot be stored, and says so', async () => {
    const stage = await setup()
    const { engine } = await stage.boot({ store: failing(stage.store, 'before', 1) })
    await expect(engine.create(request())).rejects.toThrow('away')
    await stage.clock.advance(60_000)
    expect(stage.calls).toEqual([])
    expect(await stage.sqlite.list({ owner: null, limit: 10 })).toEqual([])
  })

  it('takes an insert whose answer was lost for what it is: one prediction, started once', async () => {
    const stage = await setup()
    const { engine } = await stage.boot({ store: failing(stage.store, 'after', 1) })
    const { record } = await engine.create(request())
    await stage.clock.advance(5_000)
    expect((await stage.read(record.id)).status).toBe('succeeded')
    expect(stage.provider.runs).toHaveLength(1)
    expect(await stage.sqlite.list({ owner: null, limit: 10 })).toHaveLength(1)
  })

  it('keeps a handle through a store that fails for a while', async () => {
    const stage = await setup()
    const held = createHeld()
    const store = failing(stage.store, 'before', 0)
    const { engine } = await stage.boot({ store })
    const { record } = await engine.create(request())
    store.failures = 5
    await stage.clock.advance(1_900)
    expect((await stage.read(record.id)).attempts[0]?.handle).toBeNull()
    await stage.clock.advance(10_000)
    expect(await stage.read(record.id)).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] })
    expect(stage.provider.runs).toHaveLength(1)
    held.release()
  })
})

describe('the second fence: an answer is worth its version, not its lease', () => {
  it('writes an answer that comes back to a process which has lost its lease', async () => {
    const held = createHeld()
    // It cannot be searched: only the frozen process knows the handle.
    const stage = await setup({ canFind: false, before: verb => (verb === 'start' ? held.promise : Promise.resolve()) })
    const first = await stage.boot()
    await stage.boot()
    const { record } = await first.engine.create(request())
    await stage.clock.advance(1_000)
    first.freeze()
    held.release()
    await stage.clock.advance(30_000)
    expect((await stage.read(record.id)).attempts).toMatchObject([{ state: 'unknown', handle: null }])
    first.thaw()
    await stage.clock.advance(5_000)
    expect(await stage.read(record.id)).toMatchObject({ status: 'succeeded', attempts: [{ state: 'won' }] })
    expect(stage.provider.runs).toHaveLength(1)
  })

  it('takes over from a dead process when its lease has ended, and not before', async () => {
    const stage = await setup({ script: () => endless })
    const first = await stage.boot()
    await stage.boot()
    await first.engine.create(request())
    await stage.clock.advance(100)
    stage.kill(first)
    const [stored] = await stage.sqlite.list({ owner: null, limit: 1 })
    expect(stored).toBeDefined()
    const before = stage.calls.length
    // The lease of 15 s dates from the last write, just before the kill.
    await stage.clock.advance(14_800)
    expect(stage.calls.length).toBe(before)
    await stage.clock.advance(1_300)
    expect(stage.calls.length).toBeGreaterThan(before)
    expect(stage.provider.runs).toHaveLength(1)
  })

  it('takes over just as soon from a process that died while it waited for something long', async () => {
    let downloads = 0
    const outputs = [{ kind: 'url', url: 'https://files.test/text.txt' }] as const
    const stage = await setup({
      dress: provider => ({ ...provider, poll: async () => ({ status: 'succeeded', word: 'succeeded', outputs }) }),
      download(_url, io) {
        downloads += 1
        return hang(io)
      },
    })
    const first = await stage.boot()
    await stage.boot()
    await first.engine.create(request())
    await stage.clock.advance(3_000)
    expect(downloads).toBe(1)
    stage.kill(first)
    await stage.clock.advance(17_000)
    expect(downloads).toBe(2)
  })

  it('lets go of a prediction that another process has taken over, and asks for it no more', async () => {
    // Nothing changes, so nothing is written that could meet the other's write; and what others commit is only a hint.
    const stage = await setup({ script: () => ({ ...endless, stallAt: 0 }) })
    const first = await stage.boot({ store: { ...stage.store, watch: () => () => {} } })
    await stage.boot()
    await first.engine.create(request())
    await stage.clock.advance(5_000)
    first.freeze()
    await stage.clock.advance(30_000)
    first.thaw()
    // Up to a renewal it does not know.
    await stage.clock.advance(5_000)
    const before = stage.calls.length
    await stage.clock.advance(20_000)
    expect(stage.calls.length - before).toBe(20)
  })

  it('removes the file of an attempt although the answer to the write that ended it was lost', async () => {
    const verify = () => Promise.reject(new Error('The disk is away.'))
    const stage = await setup({ model: { ...textModel, verify } })
    const store = failing(stage.store, 'after', 0)
    const { engine } = await stage.boot({ store })
    const { record } = await engine.create(request())
    await stage.clock.advance(4_000)
    expect((await stage.read(record.id)).attempts).toMatchObject([{ state: 'collecting', pending: [] }])
    expect(stage.files.keys()).toHaveLength(1)
    store.failures = 1
    await expect(engine.cancel(record.id)).rejects.toThrow('away')
    await stage.clock.advance(1_000)
    expect(await stage.read(record.id)).toMatchObject({ status: 'canceled', settledAt: expect.any(Number) })
    expect(stage.files.keys()).toEqual([])
  })

  it("calls a dead process's start unknown only when its time is over, then finds and adopts it", async () => {
    const stage = await setup({ before: verb => (verb === 'start' ? stall() : Promise.resolve()) })
    const { begun, stall } = stallOnce()
    const first = await stage.boot()
    const { record } = await first.engine.create(request())
    await begun
    stage.kill(first)
    // Its lease ends early, as if it had been given back.
    await stage.sqlite.voidLeases()
    await stage.boot()
    await stage.clock.advance(14_900)
    expect((await stage.read(record.id)).attempts[0]?.state).toBe('submitting')
    await stage.clock.advance(200)
    expect((await stage.read(record.id)).attempts[0]?.state).toBe('unknown')
  })

  it('knows at once that a start has no owner any more where no other process can be alive', async () => {
    const stage = await setup({ before: verb => (verb === 'start' ? stall() : Promise.resolve()) })
    const { begun, stall } = stallOnce()
    const first = await stage.boot({ alone: true })
    const { record } = await first.engine.create(request())
    await begun
    stage.kill(first)
    await stage.sqlite.voidLeases()
    await stage.boot({ alone: true })
    await stage.clock.advance(1)
    expect((await stage.read(record.id)).attempts[0]?.state).toBe('unknown')
  })

  it('finds a run whose answer was lost and starts nothing twice', async () => {
    const stage = await setup({ script: () => ({ ...plainScript, start: 'lost' }) })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(10_000)
    const ended = await stage.read(record.id)
    expect(ended).toMatchObject({ status: 'succeeded', attempts: [{ number: 1, state: 'won' }] })
    expect(ended.decisions.map(({ what }) => what)).toContain('unknown start found')
    expect(stage.provider.runs).toHaveLength(1)
  })

  it('begins nothing while it cannot renew its leases, and goes on when it can', async () => {
    let away = false
    const stage = await setup({ script: () => endless })
    const renew: Store['renew'] = (...args) => (away ? Promise.reject(new Error('away')) : stage.store.renew(...args))
    const { engine } = await stage.boot({ store: { ...stage.store, renew } })
    await engine.create(request())
    await stage.clock.advance(5_500)
    away = true
    // The last renewal was after five seconds, for fifteen.
    await stage.clock.advance(14_400)
    expect(stage.calls.at(-1)?.at).toBeGreaterThan(18_000)
    await stage.clock.advance(10_100)
    expect(stage.calls.at(-1)?.at).toBeLessThanOrEqual(20_000)
    away = false
    await stage.clock.advance(20_000)
    expect(stage.calls.at(-1)?.at).toBeGreaterThan(45_000)
    expect(stage.provider.runs).toHaveLength(1)
  })

  it('counts its leases by the clock of the store, however wrong its own is', async () => {
    const stage = await setup({ script: () => ({ ...plainScript, endAt: 40_000 }) })
    const { engine } = await stage.boot({ skewMs: -3_600_000 })
    await stage.boot({ skewMs: 3_600_000 })
    const { record } = await engine.create(request())
    await stage.clock.advance(45_000)
    const ended = await stage.read(record.id)
    expect(ended).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] })
    expect((ended.completedAt ?? 0) - ended.createdAt).toBeGreaterThanOrEqual(40_000)
    expect(new Set(stage.calls.filter(({ verb }) => verb === 'poll').map(({ at }) => at)).size).toBe(
      stage.calls.filter(({ verb }) => verb === 'poll').length,
    )
  })
})

describe('a process that did not look for a while', () => {
  /** Runs for ten minutes and shows it. */
  const long: SetupOptions = { script: () => ({ ...plainScript, endAt: 600_000 }), policy: { runMs: 3_600_000 } }

  it('looks before it calls a run stalled: one that died, and its successor', async () => {
    const stage = await setup(long)
    const first = await stage.boot()
    const { record } = await first.engine.create(request())
    await stage.clock.advance(10_000)
    stage.kill(first)
    await stage.clock.advance(300_000)
    await stage.boot()
    await stage.clock.advance(300_000)
    expect(await stage.read(record.id)).toMatchObject({ status: 'succeeded', attempts: [{ state: 'won' }] })
    expect(stage.provider.runs).toHaveLength(1)
  })

  it('looks before it calls a run stalled: one that was asleep', async () => {
    const stage = await setup(long)
    const process = await stage.boot({ alone: true })
    const { record } = await process.engine.create(request())
    await stage.clock.advance(10_000)
    process.freeze()
    await stage.clock.advance(300_000)
    process.thaw()
    await stage.clock.advance(300_000)
    expect(await stage.read(record.id)).toMatchObject({ status: 'succeeded', attempts: [{ state: 'won' }] })
    expect(stage.provider.runs).toHaveLength(1)
  })
})

describe('writes', () => {
  it('are none while a poll says nothing new', async () => {
    const stage = await setup({
      pollMs: 100,
      script: () => ({ ...plainScript, bootAt: never, runAt: never, endAt: never }),
    })
    const { engine } = await stage.boot()
    await engine.create(request())
    await stage.clock.advance(2_000)
    const before = { commits: stage.commits.length, calls: stage.calls.length }
    await stage.clock.advance(10_000)
    expect(stage.commits.length - before.commits).toBe(0)
    expect(stage.calls.length - before.calls).toBeGreaterThan(90)
  })

  it('come at most once a second for mere progress, and readers see it at once', async () => {
    const stage = await setup({ pollMs: 100, script: () => ({ ...plainScript, endAt: 100_000 }) })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(2_000)
    const before = stage.commits.length
    await stage.clock.advance(50_000)
    const writes = stage.commits.length - before
    expect(writes).toBeGreaterThan(20)
    expect(writes).toBeLessThanOrEqual(50)
    expect((await engine.get(record.id))?.record.progress?.fraction).toBe(0.52)
  })
})

describe('places', () => {
  const oneByOne: SetupOptions = { concurrency: 2, script: () => ({ ...plainScript, endAt: 9_500 }) }

  it('are never exceeded, and are given in the order of arrival', async () => {
    const stage = await setup(oneByOne)
    const { engine } = await stage.boot()
    const ids: string[] = []
    let busiest = 0
    for (let count = 0; count < 6; count++) ids.push((await engine.create(request())).record.id)
    for (let second = 0; second < 40; second++) {
      await stage.clock.advance(1_000)
      const { runs } = stage.provider
      busiest = Math.max(busiest, runs.filter(run => stage.clock.now() < run.startedAt + run.script.endAt).length)
    }
    const attempts = await Promise.all(ids.map(async id => (await stage.read(id)).attempts[0]?.id))
    expect(stage.provider.runs.map(run => run.attemptId)).toEqual(attempts)
    expect(busiest).toBe(2)
  })

  it('are given to who waits the moment one is free', async () => {
    const stage = await setup(oneByOne)
    const { engine } = await stage.boot()
    const ids: string[] = []
    for (let count = 0; count < 3; count++) ids.push((await engine.create(request())).record.id)
    await stage.clock.advance(30_000)
    const [first, , third] = await Promise.all(ids.map(stage.read))
    expect(third?.attempts[0]?.submittedAt).toBe(first?.completedAt)
  })

  it('go to who waits, not to who comes just then', async () => {
    const stage = await setup(oneByOne)
    const { engine } = await stage.boot()
    for (let count = 0; count < 3; count++) await engine.create(request())
    const late: Promise<unknown>[] = []
    const unwatch = stage.sqlite.watch(() => {
      const [first] = stage.provider.runs
      if (late.length === 0 && first !== undefined && stage.clock.now() >= first.startedAt + 9_500)
        late.push(engine.create(request()))
    })
    await stage.clock.advance(9_000)
    expect(late).toHaveLength(0)
    await stage.clock.advance(30_000)
    unwatch()
    const created = await stage.sqlite.list({ owner: null, limit: 10 })
    const order = created.map(({ record }) => record).sort((a, b) => a.createdAt - b.createdAt)
    expect(late).toHaveLength(1)
    const starts = order.map(({ attempts }) => attempts[0]?.submittedAt ?? 0)
    expect(starts[3]).toBeGreaterThan(starts[2] ?? 0)
  })

  it('are shared with other processes: the store says when there is none', async () => {
    const stage = await setup({ ...oneByOne, concurrency: 1 })
    const first = await stage.boot()
    const second = await stage.boot()
    const one = await first.engine.create(request())
    const two = await second.engine.create(request())
    await stage.clock.advance(9_000)
    expect(stage.provider.runs).toHaveLength(1)
    await stage.clock.advance(30_000)
    expect([await stage.read(one.record.id), await stage.read(two.record.id)]).toMatchObject([
      { status: 'succeeded' },
      { status: 'succeeded' },
    ])
    expect(stage.provider.runs).toHaveLength(2)
  })

  it('of the next deployment are taken when the first has none', async () => {
    const stage = await setup({
      ...oneByOne,
      more: clock => [
        {
          name: 'text@second',
          providerName: 'second',
          provider: createScriptedProvider({ clock }),
          target: {},
          concurrency: 1,
        },
      ],
    })
    const { engine } = await stage.boot()
    const ids: string[] = []
    for (let count = 0; count < 4; count++) ids.push((await engine.create(request())).record.id)
    const deployments = await Promise.all(ids.map(async id => (await stage.read(id)).attempts[0]?.deployment))
    // The fourth finds every place taken and waits for its first choice.
    expect(deployments).toEqual(['text@scripted', 'text@scripted', 'text@second', 'text@scripted'])
    await stage.clock.advance(30_000)
  })
})

it("spends the day's budget once, however many ask for it in however many processes", async () => {
  // A start reserves 600 s at a tenth of a cent; the third does not fit any more, whatever the first two will cost.
  const stage = await setup({ concurrency: 9, policy: { budgetPerDay: 1.5, runMs: 600_000 }, dress: pricedPerSecond })
  const processes = [await stage.boot(), await stage.boot(), await stage.boot()]
  const created = await stage.finish(
    Promise.all([0, 1, 2, 0, 1, 2].map(index => processes[index]?.engine.create(request()))),
  )
  await stage.clock.advance(5_000)
  expect(stage.provider.runs).toHaveLength(2)
  await stage.clock.advance(60_000)
  const records = await Promise.all(created.map(each => stage.read(each?.record.id ?? '')))
  const ends = records.map(({ status, failure }) => failure?.code ?? status)
  expect(ends.toSorted()).toEqual([...Array(4).fill('budget_exceeded'), 'succeeded', 'succeeded'])
  expect(stage.provider.runs).toHaveLength(2)
})

const pricedPerSecond = (provider: Provider): Provider => ({ ...provider, pricePerSecond: () => 0.001 })

it('what waits for a full deployment goes to another one that has become free, and the account says so', async () => {
  const stage = await setup({
    concurrency: 1,
    script: () => ({ ...plainScript, endAt: 100_000 }),
    policy: { stallMs: 600_000, lastStageMs: 600_000 },
    more: clock => [
      {
        name: 'text@second',
        providerName: 'second',
        provider: createScriptedProvider({ clock, script: () => ({ ...plainScript, endAt: 9_500 }) }),
        target: {},
        concurrency: 1,
      },
    ],
  })
  const { engine } = await stage.boot()
  const ids: string[] = []
  for (let count = 0; count < 3; count++) ids.push((await engine.create(request())).record.id)
  await stage.clock.advance(30_000)
  const third = await stage.read(ids[2] ?? '')
  expect(third).toMatchObject({ status: 'succeeded', attempts: [{ deployment: 'text@second' }] })
  expect(third.decisions.map(({ what }) => what)).toEqual([
    'attempt 1 on text@scripted',
    'waits',
    'attempt 1 on text@second',
    'succeeded',
  ])
  await stage.clock.advance(100_000)
})

it('a lost start that is never found gives its place to the next try, and counts for the breaker', async () => {
  let starts = 0
  const stage = await setup({
    concurrency: 1,
    canFind: false,
    script: () => (starts++ < 3 ? { ...plainScript, start: 'lost-before' } : { ...plainScript, endAt: 5_000 }),
    policy: { unknownMs: 3_000, attempts: 4, releaseMs: 600_000 },
  })
  const { engine } = await stage.boot()
  const { record } = await engine.create(request())
  await stage.clock.advance(14_000)
  const lost = (await stage.read(record.id)).attempts.filter(({ state }) => state === 'unknown')
  expect([lost.length, (await engine.report())[0]?.breaker.state]).toEqual([3, 'open'])
  await stage.clock.advance(60_000)
  expect((await stage.read(record.id)).status).toBe('succeeded')
  await stage.clock.advance(600_000)
})

it('a webhook that comes again to another process leaves nothing behind that nobody steps', async () => {
  const stage = await setup({
    policy: { deadlineMs: 60_000 },
    script: () => ({ ...plainScript, endAt: 500_000 }),
    dress: provider => ({
      ...provider,
      poll: undefined as never,
      hear: async (_request, _io, _now, { attemptId }) => ({
        deliveryId: 'the same',
        handle: { id: attemptId },
        observation: { status: 'running', word: 'running' },
      }),
    }),
  })
  const first = await stage.boot()
  const { record } = await first.engine.create(request())
  await stage.clock.advance(2_000)
  const [attempt] = (await stage.read(record.id)).attempts
  const tell = (process: typeof first) =>
    process.engine.hear('scripted', attempt?.id ?? '', markerSecret(serverKey, attempt?.id ?? ''), {
      headers: new Headers(),
      body: async () => new Uint8Array(),
    })
  await stage.finish(tell(first))
  stage.kill(first)
  await stage.clock.advance(500)
  const second = await stage.boot()
  // Again and again, so that one of them comes between the end of the first one's lease and the next look for what is due.
  for (let tries = 0; tries < 200; tries++) {
    await stage.clock.advance(100)
    await tell(second)
  }
  await stage.clock.advance(60_000)
  expect((await stage.read(record.id)).status).toBe('failed')
  await stage.clock.advance(700_000)
})

describe('stopping', () => {
  it('lets a start finish and keeps its handle for the next process', async () => {
    const held = createHeld()
    const stage = await setup({
      script: () => endless,
      before: verb => (verb === 'start' ? held.promise : Promise.resolve()),
    })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    let stopped = false
    const stopping = engine.stop().then(() => (stopped = true))
    await stage.clock.advance(3_000)
    expect(stopped).toBe(false)
    held.release()
    await stage.finish(stopping)
    expect((await stage.read(record.id)).attempts[0]?.handle).not.toBeNull()
  })

  it('cuts a poll, gives the lease back and leaves no timer', async () => {
    const stage = await setup({
      script: () => endless,
      before: (verb, io) => (verb === 'poll' ? hang(io) : Promise.resolve()),
    })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request())
    await stage.clock.advance(1_000)
    const before = stage.now()
    await engine.stop()
    expect(stage.now()).toBe(before)
    expect(stage.clock.waiting).toBe(0)
    const next = await stage.sqlite.lease({ engine: 'next', leaseMs: 1_000, limit: 10 })
    expect(next.map(stored => stored.record.id)).toEqual([record.id])
  })

  it('waits for a start of the engine that is still under way', async () => {
    const stage = await setup({ script: () => endless })
    const held = createHeld()
    const store: Store = { ...stage.store, lease: request => held.promise.then(() => stage.store.lease(request)) }
    const { engine } = stage.prepare({ store })
    const starting = engine.start()
    const stopping = engine.stop()
    await stage.clock.advance(1_000)
    held.release()
    await starting
    await stopping
    expect(stage.clock.waiting).toBe(0)
  })
})

/** A start that never comes back, as of a process that dies meanwhile. */
function stallOnce() {
  const begun = createHeld()
  return {
    begun: begun.promise,
    stall() {
      begun.release()
      return new Promise<never>(() => {})
    },
  }
}

/** A store whose next commits fail, before or after they are done. */
function failing(store: Store, when: 'before' | 'after', failures: number): Store & { failures: number } {
  const port = {
    ...store,
    failures,
    async commit(changes: Parameters<Store['commit']>[0]) {
      const fails = port.failures > 0
      if (fails) port.failures -= 1
      if (fails && when === 'before') throw new Error('the store is away')
      const outcomes = await store.commit(changes)
      if (fails) throw new Error('the store is away')
      return outcomes
    },
  }
  return port
}
