import { describe, expect, it } from 'vitest'
import type { Routing } from './policy.ts'
import { prefer } from './routing.ts'
import { type AttemptFact, measure } from './statistics.ts'
import { sampleDeployment } from './test-support.ts'
import type { DeploymentWorld } from './world.ts'

/** `won` attempts that took `seconds` and cost `cost` each, and `lost` that failed at the same price. */
function measured(won: number, lost: number, seconds: number, cost: number | null) {
  const fact = (failed: boolean): AttemptFact => ({
    deployment: 'any',
    state: failed ? 'failed' : 'won',
    failure: failed ? 'worker_lost' : null,
    plannedAt: 0,
    submittedAt: 0,
    bootingAt: 0,
    runningAt: 0,
    collectingAt: seconds * 1_000,
    endedAt: seconds * 1_000,
    restarts: 0,
    closedUntil: null,
    cost,
  })
  return measure([...Array.from({ length: won }, () => fact(false)), ...Array.from({ length: lost }, () => fact(true))])
}

function route(...deployments: readonly Partial<DeploymentWorld>[]): DeploymentWorld[] {
  return deployments.map(sampleDeployment)
}

function names(list: readonly DeploymentWorld[], routing: Routing, dice = () => 0): string[] {
  return prefer(list, { routing }, dice).order.map(({ name }) => name)
}

describe('prefer', () => {
  it("keeps the route's own order when it is ordered", () => {
    expect(prefer(route({ name: 'b' }, { name: 'a' }), { routing: 'ordered' }, () => 0.9)).toMatchObject({
      order: [{ name: 'b' }, { name: 'a' }],
      why: 'First choice of the route.',
    })
  })

  it('draws by weight: what has none is drawn last, what has all of it first', () => {
    const list = route({ name: 'a', weight: 0 }, { name: 'b', weight: 3 }, { name: 'c', weight: 1 })
    expect(names(list, 'weighted', () => 0)).toEqual(['b', 'c', 'a'])
    expect(names(list, 'weighted', () => 0.74)).toEqual(['b', 'c', 'a'])
    expect(names(list, 'weighted', () => 0.76)).toEqual(['c', 'b', 'a'])
  })

  it('draws in proportion to the weights', () => {
    const list = route({ name: 'a', weight: 95 }, { name: 'b', weight: 5 })
    const firsts = Array.from({ length: 1_000 }, (_, index) => names(list, 'weighted', () => index / 1_000)[0])
    expect(firsts.filter(name => name === 'b').length).toBe(50)
  })

  it('counts what failed tries cost: the cheaper second is the dearer image', () => {
    const list = route(
      { name: 'flaky', measured: measured(8, 16, 1, 0.01), pricePerSecond: 0.01 },
      { name: 'sound', measured: measured(8, 0, 1, 0.02), pricePerSecond: 0.02 },
    )
    expect(prefer(list, { routing: 'cheapest' }, () => 0)).toMatchObject({
      order: [{ name: 'sound' }, { name: 'flaky' }],
      why: 'sound: 0.020 USD for each finished image (measured, 8 attempts).',
    })
  })

  it('takes declared prices until enough attempts tell', () => {
    const list = route(
      { name: 'dear', measured: measured(7, 0, 1, 0.000_001), pricePerSecond: 0.02 },
      { name: 'cheap', pricePerSecond: 0.001 },
      { name: 'unknown', pricePerSecond: null },
    )
    expect(names(list, 'cheapest')).toEqual(['cheap', 'dear', 'unknown'])
  })

  it('puts the fastest first, and what was never measured behind it in its own order', () => {
    const list = route(
      { name: 'new' },
      { name: 'slow', measured: measured(9, 0, 30, null) },
      { name: 'quick', measured: measured(9, 0, 3, null) },
      { name: 'newer' },
    )
    expect(names(list, 'fastest')).toEqual(['quick', 'slow', 'new', 'newer'])
  })

  it('trusts many successes more than few', () => {
    const list = route(
      { name: 'few', measured: measured(3, 0, 1, null) },
      { name: 'many', measured: measured(90, 1, 1, null) },
    )
    expect(names(list, 'reliable')).toEqual(['many', 'few'])
  })
})
