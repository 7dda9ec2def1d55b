import { expect, test } from 'vitest'
import { createFailure, SurefootError } from '../core/failure.ts'
import type { Provider, Warming, Warmth } from '../providers/contract.ts'
import type { Script, ScriptedProvider } from '../testing/scripted-provider.ts'
import { textModel } from '../testing/text-model.ts'
import { request, type SetupOptions, setup } from './test-support.ts'

const place = 'text@scripted'
const stays: Warmth = { idleMs: 60_000, idleBy: 'vendor', bills: ['boot', 'idle'], wokenBy: 'run', keptBy: 'run' }
const slow: Script = { bootAt: 1_000, runAt: 5_000, endAt: 9_000, end: 'succeeded' }

/** An engine with one deployment whose provider lets it be warmed like this. */
async function setupWarm(warm?: Provider['warm'], options: SetupOptions = {}) {
  const dress = (provider: ScriptedProvider) => ({ ...provider, warmth: () => stays, ...(warm && { warm }) })
  const stage = await setup({ script: () => slow, dress, ...options })
  const { engine } = await stage.boot()
  return { ...stage, engine, warmer: engine.warmer }
}

test('where a vendor has nothing but runs, a small one warms, and asking again while it goes on begins none', async () => {
  const { warmer, clock, provider } = await setupWarm()
  const first = await warmer.warm(place, { run: true })
  expect(first).toMatchObject({ state: 'waking', run: { owner: `warm:${place}`, route: [place] } })
  await clock.advance(2_000)
  expect((await warmer.warm(place, { run: true })).run?.id).toBe(first.run?.id)
  await clock.advance(5_000)
  expect(await warmer.look(first.run?.id ?? '')).toMatchObject({ state: 'ready', run: { status: 'processing' } })
  await clock.advance(10_000)
  expect(await warmer.look(first.run?.id ?? '')).toMatchObject({ state: 'ready', run: { status: 'succeeded' } })
  expect(await warmer.warm(place, { run: true })).toMatchObject({
    state: 'ready',
    message: expect.stringContaining("a worker stays for 60 s there, by the vendor's default"),
    run: null,
  })
  expect(provider.runs).toHaveLength(1)
  await clock.advance(60_000)
  expect(await warmer.warm(place, { run: true })).toMatchObject({ state: 'waking' })
  expect(provider.runs).toHaveLength(2)
})

test('two who ask at the same moment get the same run', async () => {
  const { warmer, provider, clock } = await setupWarm()
  const both = await Promise.all([warmer.warm(place, { run: true }), warmer.warm(place, { run: true })])
  expect(both[0].run?.id).toBe(both[1].run?.id)
  await clock.advance(20_000)
  expect(provider.runs).toHaveLength(1)
})

test('where no run is wanted none is begun', async () => {
  const { warmer, provider } = await setupWarm()
  expect(await warmer.warm(place, { run: false })).toMatchObject({ state: 'cold', run: null })
  expect(provider.runs).toHaveLength(0)
})

test.each<Warming['state']>(['ready', 'waking', 'asked'])('where a call says %s that is all', async state => {
  const { warmer, provider } = await setupWarm(async () => ({ state, message: 'So it is.' }))
  expect(await warmer.warm(place, { run: true })).toEqual({
    ...{ deployment: place, state, message: 'So it is.', advice: null, run: null },
  })
  expect(provider.runs).toHaveLength(0)
})

test('where a call says that only a run helps, one begins, unless none is wanted', async () => {
  const { warmer } = await setupWarm(async () => ({ state: 'cold', message: 'Nobody is there.' }))
  expect(await warmer.warm(place, { run: false })).toMatchObject({ state: 'cold', message: 'Nobody is there.' })
  expect(await warmer.warm(place, { run: true })).toMatchObject({ state: 'waking' })
})

test('a call that cannot be made says why, and begins nothing', async () => {
  const { warmer, provider } = await setupWarm(async () => {
    throw new SurefootError(createFailure('auth_rejected', 'The key is not right.'))
  })
  expect(await warmer.warm(place, { run: true })).toMatchObject({ state: 'failed', message: 'The key is not right.' })
  expect(provider.runs).toHaveLength(0)
})

test('a call that hangs ends by its limit', async () => {
  const { warmer, finish } = await setupWarm(
    (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  )
  await expect(finish(warmer.warm(place, { run: true }))).rejects.toThrow(/longer than 5000 ms/)
})

test('a run that fails says why', async () => {
  const { warmer, clock } = await setupWarm(undefined, { script: () => ({ ...slow, end: 'failed' }) })
  const { run } = await warmer.warm(place, { run: true })
  await clock.advance(20_000)
  const look = await warmer.look(run?.id ?? '')
  expect(look).toMatchObject({ state: 'failed', run: { attempts: [{ number: 1 }] } })
  expect(look?.message).toContain('The script says so.')
  expect((await warmer.plan(textModel.name))[0]?.failure).toBe(look?.message)
})

test('behind an open breaker nothing is begun', async () => {
  const { engine, warmer, clock, provider } = await setupWarm(undefined, {
    script: () => ({ ...slow, end: 'failed' }),
    policy: { attempts: 1 },
  })
  for (let failed = 0; failed < 3; failed++) {
    await engine.create(request())
    await clock.advance(15_000)
  }
  expect(await warmer.warm(place, { run: true })).toMatchObject({
    state: 'failed',
    message: expect.stringMatching(/^Nothing was started on text@scripted\. 3 attempts in a row failed/),
  })
  expect(provider.runs).toHaveLength(3)
})

test('while a run is at work there, it is ready', async () => {
  const { engine, warmer, clock } = await setupWarm()
  await engine.create(request())
  await clock.advance(7_000)
  expect(await warmer.warm(place, { run: true })).toMatchObject({ state: 'ready', run: null })
})

test('where no worker stays there is nothing to warm, and what is not there is refused', async () => {
  const { boot } = await setup()
  const { engine } = await boot()
  expect(await engine.warmer.warm(place, { run: true })).toMatchObject({ state: 'never', run: null })
  await expect(engine.warmer.warm('text@nowhere', { run: true })).rejects.toMatchObject({ status: 404 })
  await expect(engine.warmer.plan('no/model')).rejects.toMatchObject({ status: 404 })
  expect(await engine.warmer.look('warm-nothing')).toBeNull()
})

test('the prediction of somebody is no warm-up, however its id is asked for', async () => {
  const { engine, warmer } = await setupWarm()
  const { record } = await engine.create(request())
  expect(await warmer.look(record.id)).toBeNull()
})

test('the plan names the first choice, how it is warmed, and what that costs at what is known', async () => {
  const { warmer } = await setupWarm()
  expect(await warmer.plan(textModel.name)).toEqual([
    {
      deployment: place,
      by: 'run',
      choice: 'First choice of the route.',
      billed: true,
      bills: ['boot', 'idle'],
      estimate: expect.objectContaining({ seconds: 100, amount: 0.1 }),
      keepWarm: null,
      today: { runs: 0, cost: 0, unpriced: 0 },
      failure: null,
    },
  ])
})
