import { expect, test } from 'vitest'
import type { Policy } from '../core/policy.ts'
import { weekdays } from '../core/schedule.ts'
import { createKoyebEmulator } from '../emulators/koyeb/index.ts'
import { createRunpodEmulator } from '../emulators/runpod/index.ts'
import type { Provider, Warmth } from '../providers/contract.ts'
import { koyeb } from '../providers/koyeb/index.ts'
import { runpod } from '../providers/runpod/index.ts'
import { createScriptedProvider, type Script, type ScriptedOptions } from '../testing/scripted-provider.ts'
import { openEngine, type Setting, wish } from '../testing/test-prediction.ts'
import type { Deployment, KeepWarm } from './contract.ts'
import { request, setup } from './test-support.ts'

const minute = 60_000
const all: KeepWarm['window'] = { fromMinute: 0, toMinute: 1_440, days: weekdays }
const kept: KeepWarm = { window: all, timeZone: 'UTC', everyMs: 4 * minute }
const stays: Warmth = { idleMs: 5 * minute, idleBy: 'target', bills: ['boot', 'idle'], wokenBy: 'run', keptBy: 'run' }
const quick: Script = { bootAt: 0, runAt: 0, endAt: 1_000, end: 'succeeded' }

interface Place extends Partial<Omit<ScriptedOptions, 'clock'>> {
  readonly keepWarm?: KeepWarm
  readonly policy?: Partial<Policy>
}

/** A store and a deployment `text@kept` that is to be kept warm, beside one that is not. */
async function setupKept({ keepWarm = kept, policy, ...options }: Place = {}) {
  const runs: number[] = []
  const stage = await setup({
    ...(policy === undefined ? {} : { policy }),
    more: clock => {
      const zero = clock.now()
      const provider = createScriptedProvider({
        ...options,
        clock,
        async before(verb, io) {
          await options.before?.(verb, io)
          if (verb === 'start') runs.push(clock.now() - zero)
        },
      })
      const deployment: Deployment = {
        name: 'text@kept',
        providerName: 'kept',
        provider: { ...provider, warmth: () => stays },
        target: {},
        concurrency: 4,
        keepWarm,
      }
      return [deployment]
    },
  })
  return { ...stage, runs }
}

/** In whole minutes, from below: a look every ten seconds makes it that exact. */
const minutesOf = (times: readonly number[]) => times.map(at => Math.floor(at / minute))

test('a deployment is warmed as soon as its hours begin, whenever nothing has used it for its wait, and not after them', async () => {
  const keepWarm = { ...kept, window: { ...all, fromMinute: 10, toMinute: 20 } }
  const { boot, clock, runs } = await setupKept({ keepWarm })
  await boot()
  await clock.advance(10 * minute - 1)
  expect(runs).toEqual([])
  await clock.advance(30 * minute)
  expect(minutesOf(runs)).toEqual([10, 14, 18])
})

test("a prediction of somebody's puts the next warm-up off", async () => {
  const { boot, clock, runs } = await setupKept()
  const { engine } = await boot()
  await clock.advance(2 * minute)
  await engine.create(request({ deployments: ['text@kept'] }))
  await clock.advance(3 * minute)
  expect(minutesOf(runs)).toEqual([0, 2])
  await clock.advance(2 * minute)
  expect(minutesOf(runs)).toEqual([0, 2, 6])
})

test('of several processes on one store one begins each warm-up', async () => {
  const { boot, clock, runs } = await setupKept()
  await Promise.all([boot(), boot({ skewMs: 4_000 }), boot({ skewMs: -3_000 })])
  await clock.advance(9 * minute)
  expect(minutesOf(runs)).toEqual([0, 4, 8])
})

test('a process that does not stay keeps nothing warm', async () => {
  const { prepare, clock, runs } = await setupKept()
  await prepare({ keepsWarm: false }).engine.start()
  await clock.advance(9 * minute)
  expect(runs).toEqual([])
})

test('nobody is shown a warm-up as theirs, and what it made goes before the next one', async () => {
  const { boot, clock, files, store } = await setupKept()
  const { engine } = await boot()
  await clock.advance(minute)
  expect(await engine.list({ owner: 'local', limit: 9 })).toEqual([])
  const [first] = await store.list({ owner: 'warm:text@kept', limit: 9 })
  expect(first?.record).toMatchObject({ status: 'succeeded', route: ['text@kept'] })
  await clock.advance(12 * minute)
  expect(await store.list({ owner: 'warm:text@kept', limit: 9 })).toHaveLength(4)
  expect(files.keys()).toHaveLength(1)
})

test('its cost counts, in the price of what users get and in the day', async () => {
  const { boot, clock, store } = await setupKept()
  const { engine } = await boot()
  await engine.create(request({ deployments: ['text@kept'] }))
  await clock.advance(9 * minute)
  const report = (await engine.report()).find(({ name }) => name === 'text@kept')
  expect(report?.measured).toMatchObject({ samples: 1, won: 1 })
  // Two warm-ups of a second each beside the one that somebody wanted.
  expect(report?.measured.costPerSuccess).toBeCloseTo(0.003, 6)
  expect(await store.spentSince(0)).toBeCloseTo(0.003, 6)
  const [plan] = (await engine.warmer.plan('test/text')).filter(({ deployment }) => deployment === 'text@kept')
  expect(plan?.today).toMatchObject({ runs: 2, unpriced: 0 })
  expect(plan?.today.cost).toBeCloseTo(0.002, 6)
})

test('one that fails is waited for longer each time, is one attempt, and shuts nobody out', async () => {
  const script = () => ({ ...quick, end: 'failed' as const })
  const { boot, clock, runs } = await setupKept({ script })
  const { engine } = await boot()
  await clock.advance(70 * minute)
  expect(minutesOf(runs)).toEqual([0, 8, 24, 56])
  const report = (await engine.report()).find(({ name }) => name === 'text@kept')
  expect(report?.breaker.state).toBe('closed')
})

test('a call that fails is waited for longer each time, too', async () => {
  const calls: number[] = []
  const { boot, clock } = await setup({
    more: clock => {
      const zero = clock.now()
      const provider: Provider = {
        ...createScriptedProvider({ clock }),
        warmth: () => ({ ...stays, wokenBy: 'call', keptBy: 'call' }),
        async warm() {
          calls.push(clock.now() - zero)
          throw new Error('nobody answers')
        },
      }
      return [{ name: 'text@kept', providerName: 'kept', provider, target: {}, concurrency: 4, keepWarm: kept }]
    },
  })
  await boot()
  await clock.advance(70 * minute)
  expect(minutesOf(calls)).toEqual([0, 8, 24, 56])
})

test('nothing is warmed behind a breaker that is open, nor behind one that waits for a probe', async () => {
  const keepWarm = { ...kept, window: { ...all, fromMinute: 5 } }
  const script = () => ({ ...quick, end: 'failed' as const })
  const { boot, clock, runs } = await setupKept({ script, keepWarm, policy: { attempts: 1 } })
  const { engine } = await boot()
  for (let failed = 0; failed < 3; failed++) {
    await engine.create(request({ deployments: ['text@kept'] }))
    await clock.advance(30_000)
  }
  const before = runs.length
  expect((await engine.report()).find(({ name }) => name === 'text@kept')?.breaker.state).not.toBe('closed')
  await clock.advance(30 * minute)
  expect(runs).toHaveLength(before)
})

test.each([
  ['the day', { budgetPerDay: 1 }, 2],
  ['one prediction', { budget: 0.5 }, 0],
  ['nothing', {}, 3],
])('the budget of %s holds', async (_, policy, most) => {
  // At worst an attempt costs 0.6 USD, ten minutes; this one costs half of that.
  const script = () => ({ ...quick, endAt: 300_000 })
  const { boot, clock, runs } = await setupKept({ script, policy: { ...policy, stallMs: 600_000 } })
  await boot()
  await clock.advance(25 * minute)
  expect(runs.length).toBe(most)
})

/** Seconds from the wish to the end, after half an hour in which nobody came. */
async function secondsAfterQuiet(setting: Setting): Promise<number> {
  const { engine, clock, close } = await openEngine([], setting)
  await clock.advance(30 * minute)
  const { record } = await engine.create(wish)
  await clock.advance(5 * minute)
  const last = (await engine.get(record.id))?.record
  await close()
  return ((last?.completedAt ?? Number.NaN) - record.createdAt) / 1000
}

test('a cold start is avoided: RunPod, by runs', async () => {
  const setting: Setting = {
    emulator: parts => createRunpodEmulator({ ...parts, bootMs: 60_000, idleMs: 5 * minute, answers: 'inline' }),
    provider: () => runpod({ apiKey: 'k', baseUrl: 'https://runpod.test/v2' }),
    target: { endpoint: 'abc123', hardware: 'l40s', idleSeconds: 300 },
  }
  expect(await secondsAfterQuiet(setting)).toBeGreaterThan(70)
  expect(await secondsAfterQuiet({ ...setting, keepWarm: kept })).toBeLessThan(20)
})

test('a cold start is avoided: Koyeb, by calls alone', async () => {
  let submits = 0
  const setting: Setting = {
    emulator: parts => {
      const emulator = createKoyebEmulator({ ...parts, wakeMs: 60_000, bootMs: 0, answers: 'inline' })
      return {
        ...emulator,
        close() {
          submits = emulator.state().submits
          emulator.close()
        },
      }
    },
    provider: () => koyeb({ baseUrl: 'https://koyeb.test', mode: 'held' }),
    target: { hardware: 'gpu-nvidia-l4' },
  }
  expect(await secondsAfterQuiet(setting)).toBeGreaterThan(60)
  expect(await secondsAfterQuiet({ ...setting, keepWarm: kept })).toBeLessThan(20)
  expect(submits).toBe(1)
})
