import { expect, test } from 'vitest'
import type { Breaker } from '../core/breaker.ts'
import { defaultPolicy, type Policy } from '../core/policy.ts'
import { measure } from '../core/statistics.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { createMemoryStore } from '../testing/memory-store.ts'
import { createScriptedProvider } from '../testing/scripted-provider.ts'
import { textModel } from '../testing/text-model.ts'
import type { Deployment, DeploymentReport } from './contract.ts'
import { createWarmer, type WarmDependencies } from './warm.ts'

interface Place {
  readonly weight?: number
  readonly price?: number
  readonly breaker?: Breaker
}

const closed: Breaker = { state: 'closed' }
const open: Breaker = { state: 'open', until: 9e15, why: 'It failed.' }

/** Names and reasons of the first choices among these deployments, in the order of the plan. */
async function choices(
  places: Readonly<Record<string, Place>>,
  policy: Partial<Policy> = {},
  migrations: WarmDependencies['migrations'] = async () => [],
): Promise<Record<string, string>> {
  const clock = createSimulatedClock()
  const deployments = Object.entries(places).map(
    ([name, { weight = 1 }]): Deployment => ({
      ...{ name, providerName: name, provider: createScriptedProvider({ clock }), target: {}, concurrency: 1, weight },
    }),
  )
  const report = async () =>
    Object.entries(places).map(
      ([name, { price = 0.001, breaker = closed }]): DeploymentReport => ({
        ...{ name, model: textModel.name, providerName: name, kind: 'scripted', measured: measure([]), breaker },
        ...{ pricePerSecond: price, pricesAsOf: null, billed: true, routed: true, concurrency: 1 },
      }),
    )
  const warmer = createWarmer({
    ...{ store: createMemoryStore(clock.now), files: createMemoryFiles(), clock, now: clock.now, report, migrations },
    routes: new Map([[textModel.name, { model: textModel, deployments, policy: { ...defaultPolicy, ...policy } }]]),
    fetch: () => Promise.reject(new Error('nothing is fetched here')),
    create: () => Promise.reject(new Error('nothing is created here')),
  })
  const plan = await warmer.plan(textModel.name)
  return Object.fromEntries(plan.flatMap(({ deployment, choice }) => (choice === null ? [] : [[deployment, choice]])))
}

test('the first of the route', async () => {
  expect(await choices({ a: {}, b: {} })).toEqual({ a: 'First choice of the route.' })
})

test('the next one, where the breaker keeps the first one out', async () => {
  expect(await choices({ a: { breaker: open }, b: {} })).toEqual({ b: 'a is out just now.' })
  expect(await choices({ a: { breaker: open } })).toEqual({ a: 'First choice of the route.' })
})

test('all that have a weight and are not out', async () => {
  const why = 'Drawn by weight: any may be first.'
  const places = { a: { weight: 3 }, b: { weight: 1 }, c: { weight: 0 }, d: { breaker: open } }
  expect(await choices(places, { routing: 'weighted' })).toEqual({ a: why, b: why })
})

test('the one that the policy prefers', async () => {
  const places = { a: { price: 0.002 }, b: { price: 0.001 } }
  expect(Object.keys(await choices(places, { routing: 'cheapest' }))).toEqual(['b'])
})

test('those at which a migration begins predictions', async () => {
  const side = (name: string, percent: number) => ({ name, percent, attempts: 0, measured: measure([]) })
  const moving = (percent: number) => async () => [
    { model: textModel.name, from: side('a', 100 - percent), to: side('b', percent) },
  ]
  expect(await choices({ a: {}, b: {} }, {}, moving(25))).toEqual({
    a: 'By its migration 75 % of predictions begin there.',
    b: 'By its migration 25 % of predictions begin there.',
  })
  expect(Object.keys(await choices({ a: {}, b: {} }, {}, moving(0)))).toEqual(['a'])
})
