import { describe, expect, it } from 'vitest'
import type { MigrationPlan } from '../core/migration.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import { sampleAttempt, sampleChange, samplePrediction } from '../testing/sample-records.ts'
import { createScriptedProvider, plainScript, type Script } from '../testing/scripted-provider.ts'
import { textModel } from '../testing/text-model.ts'
import type { Deployment, Engine } from './contract.ts'
import { request, type SetupOptions, setup } from './test-support.ts'

const model = textModel.name
const plan: MigrationPlan = {
  from: 'text@scripted',
  to: 'text@new',
  steps: [50, 100],
  shadow: { share: 1, runs: 3 },
  limits: { success: 'no-worse', slower: null, dearer: null, seconds: null, cost: null, differ: 0 },
  samples: 6,
}

interface Options extends SetupOptions {
  readonly plan?: Partial<MigrationPlan>
  /** What runs at the new deployment do. */
  readonly newScript?: () => Script
}

/** A route of two deployments whose model moves from the first to the second. */
async function setupMoving({ plan: over = {}, newScript = () => plainScript, ...options }: Options = {}) {
  const place = { providerName: 'new', target: {}, concurrency: 50 }
  const made: { provider?: ReturnType<typeof createScriptedProvider> } = {}
  const stage = await setup({
    concurrency: 50,
    ...options,
    more(clock): Deployment[] {
      made.provider = createScriptedProvider({ clock, script: newScript })
      return [{ name: 'text@new', provider: made.provider, ...place }]
    },
  })
  const configure = (changes: Partial<MigrationPlan>) => {
    const route = stage.routes.get(model)
    if (route !== undefined) stage.routes.set(model, { ...route, migration: { ...plan, ...changes } } as typeof route)
  }
  configure(over)
  const { engine } = await stage.boot()

  /** So many predictions, a second apart, created by these engines in turn. */
  async function serve(count: number, engines: readonly Engine[] = [engine]): Promise<PredictionRecord[]> {
    const created: PredictionRecord[] = []
    for (let index = 0; index < count; index++) {
      const by = engines[index % engines.length] ?? engine
      created.push((await stage.finish(by.create(request()))).record)
      await stage.clock.advance(1_000)
    }
    return created
  }
  const stageOf = async (by: Engine = engine) => {
    const [report] = await by.migrations()
    return report?.state.stage.name === 'step'
      ? report.state.plan.steps[report.state.stage.index]
      : report?.state.stage.name
  }
  const shadows = async () =>
    (await stage.store.list({ owner: `shadow:${model}`, limit: 100 })).map(({ record }) => record)
  return { ...stage, engine, configure, serve, stageOf, shadows, newRuns: () => made.provider?.runs.length ?? 0 }
}

const firstPlaces = (records: readonly PredictionRecord[]) => records.map(({ attempts }) => attempts[0]?.deployment)

describe('shadow runs', () => {
  it('repeat a prediction at the new deployment, in a record of their own that no caller sees', async () => {
    const webhook = { url: 'https://user.test/', events: ['completed'] } as const
    const { engine, clock, shadows, read, files } = await setupMoving()
    const { record } = await engine.create(request({ input: { prompt: 'a' }, webhook }))
    expect(record.attempts.map(({ deployment }) => deployment)).toEqual(['text@scripted'])
    await clock.advance(20_000)
    const [shadow, ...more] = await shadows()
    expect(more).toEqual([])
    expect(shadow).toMatchObject({
      ...{ shadowOf: record.id, route: ['text@new'], input: record.input, files: record.files, webhook: null },
      ...{ status: 'succeeded', attempts: [{ deployment: 'text@new', state: 'won' }] },
    })
    expect(shadow?.id).not.toBe(record.id)
    expect((await engine.list({ owner: 'local', limit: 10 })).map(({ record }) => record.id)).toEqual([record.id])
    const original = await read(record.id)
    expect(original).toMatchObject({ status: 'succeeded', attempts: [{ deployment: 'text@scripted' }] })
    expect(original).not.toHaveProperty('shadowOf')
    // Compared by what was found in it, the file is of no more use.
    expect([files.has(original.output?.key ?? ''), files.has(shadow?.output?.key ?? '')]).toEqual([true, false])
    expect((await engine.migrations())[0]).toMatchObject({
      summary: { compared: 1, both: 1, differ: 0, seconds: { from: 1, to: 1 }, cost: { from: 0.001, to: 0.001 } },
      pairs: [{ prediction: record.id, shadow: shadow?.id, differences: [] }],
    })
  })

  it('repeat nothing that is pinned, and no shadow run', async () => {
    const { engine, clock, shadows } = await setupMoving()
    await engine.create(request({ deployments: ['text@scripted'] }))
    await clock.advance(5_000)
    expect(await shadows()).toEqual([])
    await engine.create(request())
    await clock.advance(5_000)
    expect(await shadows()).toHaveLength(1)
  })

  it('are not begun outside their stage, nor while a person holds it', async () => {
    const { engine, clock, shadows, serve } = await setupMoving()
    await engine.migrate(model, 'pause')
    await serve(3)
    await engine.migrate(model, 'resume')
    await engine.migrate(model, 'advance')
    await serve(3)
    await clock.advance(10_000)
    expect(await shadows()).toEqual([])
  })

  it('are as many as the dice say, and never more at a time than are wanted', async () => {
    const never = { ...plainScript, endAt: Number.POSITIVE_INFINITY }
    const some = await setupMoving({ plan: { shadow: { share: 0.25, runs: 100 } } })
    await some.serve(60)
    expect((await some.shadows()).length).toBeGreaterThan(5)
    expect((await some.shadows()).length).toBeLessThan(30)
    const stuck = await setupMoving({ newScript: () => never })
    await stuck.serve(12)
    expect(await stuck.shadows()).toHaveLength(3)
  })

  it('come to an end where nothing is learnt from more of them', async () => {
    const { serve, stageOf, store, clock } = await setupMoving({
      plan: { shadow: { share: 1, runs: 20 }, limits: { ...plan.limits, dearer: 1 } },
      // So that what it costs can never be compared.
      dress: provider => ({ ...provider, cost: () => null }),
    })
    await serve(230)
    await clock.advance(10_000)
    expect(await stageOf()).toBe('shadow')
    expect(await store.list({ owner: `shadow:${model}`, limit: 500 })).toHaveLength(200)
  })

  it('are one attempt each: a second one would only cost', async () => {
    const { serve, shadows, clock } = await setupMoving({ newScript: () => ({ ...plainScript, end: 'failed' }) })
    await serve(1)
    await clock.advance(120_000)
    expect(await shadows()).toMatchObject([{ status: 'failed', attempts: [{ failure: { code: 'model_error' } }] }])
  })

  it('that cannot be stored do no harm to the prediction', async () => {
    const { prepare, routes, finish, clock, store, read } = await setup()
    const route = routes.get(model)
    if (route === undefined) throw new Error('the stage has no route')
    const young = { ...route.deployments[0], name: 'text@new' } as Deployment
    routes.set(model, { ...route, deployments: [...route.deployments, young], migration: plan } as typeof route)
    const commit: typeof store.commit = async changes => {
      if (changes.some(({ record }) => record.shadowOf !== undefined)) throw new Error('the disk is full')
      return await store.commit(changes)
    }
    const { engine } = prepare({ store: { ...store, commit } })
    await engine.start()
    const { record } = await finish(engine.create(request()))
    await clock.advance(5_000)
    expect((await read(record.id)).status).toBe('succeeded')
  })

  it('that the day cannot pay for end without an attempt, count for nothing, and leave the money to others', async () => {
    // Each start reserves 0.001 USD a second for at most 10 minutes.
    const { engine, clock, shadows, read } = await setupMoving({ policy: { budgetPerDay: 1 } })
    const { record } = await engine.create(request())
    await clock.advance(5_000)
    expect((await read(record.id)).status).toBe('succeeded')
    expect(await shadows()).toMatchObject([{ status: 'failed', failure: { code: 'budget_exceeded' }, attempts: [] }])
    expect((await engine.migrations())[0]?.summary.compared).toBe(0)
  })
})

describe('traffic', () => {
  it('begins at the old deployment while the new one is on trial, which only comes last', async () => {
    const rejected: Script = { ...plainScript, start: 'rejected' }
    const { serve, read } = await setupMoving({ script: () => rejected, plan: { shadow: { share: 0.001, runs: 3 } } })
    const [record] = await serve(1)
    const ended = await read(record?.id ?? '')
    expect(ended.attempts.map(({ deployment }) => deployment)).toEqual(['text@scripted', 'text@new'])
    expect(ended.decisions[0]?.why).toBe('The migration to text@new is in its shadow stage: text@scripted comes first.')
  })

  it('is drawn by the share of the step, says so, and stays where it was drawn', async () => {
    const { engine, serve } = await setupMoving({
      plan: { steps: [30, 100], shadow: { share: 1, runs: 0 }, samples: 100 },
    })
    const records = await serve(80)
    const drawn = records.filter(({ attempts }) => attempts[0]?.deployment === 'text@new')
    expect(drawn.length).toBeGreaterThan(10)
    expect(drawn.length).toBeLessThan(40)
    expect((await engine.migrations())[0]).toMatchObject({
      from: { percent: 70, attempts: records.length - drawn.length },
      to: { percent: 30, attempts: drawn.length },
    })
    for (const { attempts, decisions } of records)
      expect(decisions[0]?.why).toBe(
        attempts[0]?.deployment === 'text@new'
          ? 'Drawn by the migration to text@new: 30 %.'
          : 'Drawn by the migration to text@new: 70 % stay at text@scripted.',
      )
    await engine.migrate(model, 'advance')
    expect(new Set(firstPlaces(await serve(10)))).toEqual(new Set(['text@new']))
    await engine.migrate(model, 'rollback')
    expect(new Set(firstPlaces(await serve(10)))).toEqual(new Set(['text@scripted']))
  })

  it('is counted at both for the same time, however much there was', async () => {
    const { engine, serve, clock } = await setupMoving({
      plan: { steps: [10, 100], shadow: { share: 1, runs: 0 }, samples: 100 },
    })
    const records = await serve(320)
    await clock.advance(10_000)
    const drawn = records.map(({ attempts }) => attempts[0]?.deployment === 'text@new')
    const [report] = await engine.migrations()
    // From the two hundredth last one at the old deployment on.
    const counted = records.slice(drawn.flatMap((isNew, index) => (isNew ? [] : index)).at(-200))
    expect([report?.from.attempts, report?.to.attempts]).toEqual([200, counted.length - 200])
    expect(report?.to.attempts).toBeLessThan(drawn.filter(isNew => isNew).length)
  })

  it('falls over to the other one', async () => {
    const { engine, serve, read } = await setupMoving({ newScript: () => ({ ...plainScript, start: 'rejected' }) })
    for (let times = 0; times < 3; times++) await engine.migrate(model, times === 0 ? 'pause' : 'advance')
    const [record] = await serve(1)
    const ended = await read(record?.id ?? '')
    expect(ended.attempts.map(({ deployment }) => deployment)).toEqual(['text@new', 'text@scripted'])
    expect(ended.status).toBe('succeeded')
  })
})

describe('the way', () => {
  it('leads through all stages to the end where the new one is good', async () => {
    const { engine, serve, stageOf, clock } = await setupMoving()
    const seen = new Set([await stageOf()])
    for (let rounds = 0; rounds < 40; rounds++) {
      await serve(2)
      seen.add(await stageOf())
    }
    await clock.advance(10_000)
    expect([...seen]).toEqual(['shadow', 50, 100, 'done'])
    const [report] = await engine.migrations()
    expect(report?.state.history.map(({ what }) => what)).toEqual(['shadow', '50 %', '100 %', 'done'])
    expect(report?.state.history[1]?.why).toMatch(/^\d of \d attempts at text@new succeeded/)
  })

  it('is gone however often the new one is warmed between two predictions', async () => {
    const { serve, stageOf, clock, store } = await setupMoving({
      plan: { shadow: { share: 1, runs: 0 }, steps: [100] },
    })
    for (let round = 0; round < 8; round++) {
      await serve(1)
      for (let number = 0; number < 210; number++) {
        const id = `warm-${round}-${number}`
        const at = clock.now()
        const attempt = sampleAttempt({ id: `${id}-1`, deployment: 'text@new', state: 'won', endedAt: at })
        const over = { createdAt: at, settledAt: at, status: 'succeeded', owner: 'warm:text@new' } as const
        const record = samplePrediction({
          id,
          ...over,
          attempts: [{ ...attempt, plannedAt: at, release: 'confirmed' }],
        })
        await store.commit([sampleChange(record, { nextAt: null })])
      }
    }
    await clock.advance(10_000)
    expect(await stageOf()).toBe('done')
  })

  it('leads back where it is bad, and no prediction is the worse for it; that is final', async () => {
    const { serve, stageOf, read, engine, newRuns, clock } = await setupMoving({
      plan: { shadow: { share: 1, runs: 0 } },
      newScript: () => ({ ...plainScript, end: 'failed' }),
    })
    const records = await serve(30)
    await clock.advance(60_000)
    expect(await stageOf()).toBe('rolled_back')
    for (const { id } of records) expect((await read(id)).status).toBe('succeeded')
    const before = newRuns()
    expect(new Set(firstPlaces(await serve(20)))).toEqual(new Set(['text@scripted']))
    expect(newRuns()).toBe(before)
    expect(await stageOf()).toBe('rolled_back')
    const [report] = await engine.migrations()
    expect(report?.state.history.at(-1)?.why).toMatch(/^0 of \d attempts at text@new succeeded/)
    // What led there is shown, beside the traffic since.
    expect(report?.to).toMatchObject({ percent: 0, attempts: 0, measured: { won: 0 } })
    expect(report?.to.measured.samples).toBeGreaterThanOrEqual(3)
    await engine.migrate(model, 'resume')
    expect(await stageOf()).toBe(50)
  })

  it('leads back where the outputs differ', async () => {
    const { serve, stageOf, clock, engine } = await setupMoving({
      model: { ...textModel, verify: async () => ({ valid: true, facts: {} }) },
      newScript: () => ({ ...plainScript, output: 'done, and much longer than the other one said' }),
    })
    await serve(3)
    await clock.advance(20_000)
    expect(await stageOf()).toBe('rolled_back')
    expect((await engine.migrations())[0]?.state.history.at(-1)?.why).toContain(
      'pairs of outputs differ (4 bytes against',
    )
  })

  it('is gone once by three processes together, and by those that are left when one is killed', async () => {
    const { boot, kill, serve, clock, store, finish, engine } = await setupMoving()
    const written: string[] = []
    const observed: typeof store = {
      ...store,
      async putMigration(name, { state, version }) {
        const done = await store.putMigration(name, { state, version })
        if (done) written.push(state.history.at(-1)?.what ?? '')
        return done
      },
    }
    const three = [await boot({ store: observed }), await boot({ store: observed }), await boot({ store: observed })]
    await finish(engine.stop())
    const engines = () => three.map(process => process.engine)
    for (let rounds = 0; rounds < 25; rounds++) {
      await serve(3, engines())
      if (rounds === 3) {
        const [first] = three.splice(0, 1)
        if (first !== undefined) kill(first)
        three.push(await boot({ store: observed }))
      }
    }
    await clock.advance(10_000)
    expect(written).toEqual(['50 %', '100 %', 'done'])
    for (const by of engines()) expect((await by.migrations())[0]?.state.stage.name).toBe('done')
  })

  it('begins anew where a process starts with another plan; those with the old one go by it, too', async () => {
    const { engine, boot, configure, serve, stageOf, clock } = await setupMoving()
    await engine.migrate(model, 'advance')
    configure({ steps: [10, 100], shadow: { share: 1, runs: 2 } })
    const { engine: next } = await boot()
    expect(await stageOf(next)).toBe('shadow')
    expect((await next.migrations())[0]?.state.history).toMatchObject([
      { why: expect.stringContaining('another plan') },
    ])
    await clock.advance(5_000)
    expect((await engine.migrations())[0]).toMatchObject({ configured: false, state: { plan: { steps: [10, 100] } } })
    await serve(6, [engine, next])
    await clock.advance(20_000)
    expect(await stageOf(next)).toBe(10)
    expect(await stageOf(engine)).toBe(10)
  })

  it('cannot be gone by a model that has none', async () => {
    const { boot } = await setup()
    const { engine } = await boot()
    expect(await engine.migrations()).toEqual([])
    await expect(engine.migrate(model, 'advance')).rejects.toMatchObject({
      status: 404,
      failure: { message: 'No migration is configured for test/text.' },
    })
  })

  it('refuses what makes no sense, and says where it stands', async () => {
    const { engine } = await setupMoving()
    await expect(engine.migrate(model, 'resume')).rejects.toMatchObject({
      status: 409,
      failure: { message: 'The migration is in its shadow stage and is not paused.' },
    })
  })
})
