import { describe, expect, it } from 'vitest'
import { type AttemptFact, measure, quantile, speaksFor, wilson } from './statistics.ts'

function fact(over: Partial<AttemptFact> = {}): AttemptFact {
  return {
    deployment: 'sharp@runpod',
    state: 'won',
    failure: null,
    plannedAt: 0,
    submittedAt: 0,
    bootingAt: 1_000,
    runningAt: 3_000,
    collectingAt: 8_000,
    endedAt: 9_000,
    restarts: 0,
    closedUntil: null,
    cost: 0.01,
    ...over,
  }
}

describe('measure', () => {
  it('splits the time of attempts that won into stages', () => {
    const { total, queue, boot, run, collect } = measure([fact()])
    expect([total, queue, boot, run, collect].map(spread => spread?.p50)).toEqual([9_000, 1_000, 2_000, 5_000, 1_000])
  })

  it('counts the cost of failed, cancelled and losing attempts into what a success costs', () => {
    const facts = [
      fact({ cost: 0.02 }),
      fact({ cost: 0.02 }),
      fact({ state: 'failed', failure: 'stalled', cost: 0.05 }),
      fact({ state: 'superseded', cost: 0.01 }),
      fact({ state: 'canceled', cost: 0.02 }),
    ]
    expect(measure(facts).costPerSuccess).toBeCloseTo(0.06, 12)
  })

  it('counts warm-ups as money only, also where they fail', () => {
    const warm = { warm: true, runningAt: 500_000, endedAt: 900_000 }
    const facts = [
      fact({ cost: 0.02 }),
      fact({ cost: 0.01, ...warm }),
      fact({ state: 'failed', failure: 'stalled', cost: 0.03, restarts: 2, ...warm }),
    ]
    const { samples, won, total, stalls, restarts, costPerSuccess } = measure(facts)
    expect({ samples, won, p99: total?.p99, stalls, restarts }).toEqual({
      ...{ samples: 1, won: 1, p99: 9_000, stalls: 0, restarts: 0 },
    })
    expect(costPerSuccess).toBeCloseTo(0.06, 12)
  })

  it("holds nothing against a deployment that is the user's, policy's or our own doing", () => {
    const facts = [
      fact(),
      fact({ state: 'failed', failure: 'input_invalid' }),
      fact({ state: 'failed', failure: 'deadline_exceeded' }),
      fact({ state: 'failed', failure: 'worker_lost' }),
      fact({ state: 'superseded' }),
    ]
    expect(measure(facts)).toMatchObject({ samples: 2, won: 1, success: { rate: 0.5 } })
  })

  it('says nothing where there is nothing to say', () => {
    expect(measure([])).toMatchObject({ samples: 0, success: null, total: null, costPerSuccess: null, stalls: 0 })
    expect(measure([fact({ state: 'failed', failure: 'stalled' })])).toMatchObject({ costPerSuccess: null, stalls: 1 })
  })

  it('knows no cost where none was ever known', () => {
    expect(measure([fact({ cost: null })]).costPerSuccess).toBe(null)
  })

  it('counts the attempts whose cost nobody knows, but not those that never started or still run', () => {
    const facts = [
      fact(),
      fact({ cost: null }),
      fact({ state: 'lost', failure: 'worker_lost', cost: null }),
      fact({ state: 'running', endedAt: null, cost: null }),
      fact({ state: 'superseded', submittedAt: null, cost: null }),
    ]
    expect(measure(facts).unpriced).toBe(2)
  })

  it('leaves out a stage that was never seen', () => {
    expect(measure([fact({ bootingAt: null })])).toMatchObject({ boot: null, queue: { p50: 3_000 } })
  })
})

describe('wilson', () => {
  // Known values of Wilson's score interval at 95 %.
  it.each([
    [0, 10, 0, 0.2775],
    [10, 10, 0.7225, 1],
    [5, 10, 0.2366, 0.7634],
    [95, 100, 0.8882, 0.9785],
  ])('%i of %i lies between %f and %f', (successes, samples, low, high) => {
    const interval = wilson(successes, samples)
    expect([interval.low, interval.high]).toEqual([expect.closeTo(low, 3), expect.closeTo(high, 3)])
  })

  it('is everything without samples', () => {
    expect(wilson(0, 0)).toEqual({ low: 0, high: 1 })
  })
})

it('takes a quantile by nearest rank', () => {
  expect([0.5, 0.95, 0.99, 0, 1].map(share => quantile([4, 1, 3, 2], share))).toEqual([2, 4, 4, 1, 4])
})

it('lets an attempt that was not allowed to end speak neither for nor against', () => {
  expect(speaksFor({ state: 'running', failure: null })).toBe(false)
  expect(speaksFor({ state: 'failed', failure: null })).toBe(false)
  expect(speaksFor({ state: 'lost', failure: 'worker_lost' })).toBe(true)
})
