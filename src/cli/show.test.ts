import { expect, test } from 'vitest'
import type { Cost } from '../core/prediction.ts'
import { describeCost } from './show.ts'

const usd = (amount: number): Cost => ({ amount, currency: 'USD', estimated: false })
const ended = { state: 'won', release: 'confirmed', reserved: 0.5, cost: usd(0.02) } as const
const unknown = { ...ended, state: 'failed', reserved: 0.1, cost: null } as const
const refused = { ...unknown, release: 'none' } as const
const givenUp = { ...unknown, release: 'given_up' } as const
const running = { ...unknown, state: 'running', release: 'open' } as const

test('the cost stands alone where that of every attempt that was started is known', () => {
  expect(describeCost(usd(0.02), [ended])).toBe('Cost: 0.0200 USD')
  expect(describeCost(usd(0.02), [refused, ended])).toBe('Cost: 0.0200 USD')
})

test('an attempt that was refused, or waits for a place, costs nothing', () => {
  expect(describeCost(null, [])).toBe('Cost: nothing, no attempt was started')
  expect(describeCost(null, [refused, { ...running, state: 'planned', release: 'none' }])).toBe(
    'Cost: nothing, no attempt was started',
  )
})

test('attempts of unknown cost are counted, with the worst case of one', () => {
  expect(describeCost(usd(0.02), [unknown, ended])).toBe(
    'Cost: at least 0.0200 USD, 1 attempt of unknown cost (at most 0.1 USD)',
  )
  expect(describeCost(usd(0.02), [unknown, { ...unknown, reserved: 0.3 }, ended])).toBe(
    'Cost: at least 0.0200 USD, 2 attempts of unknown cost (at most 0.3 USD each)',
  )
  expect(describeCost(usd(0.02), [{ ...unknown, reserved: 0 }, ended])).toBe(
    'Cost: at least 0.0200 USD, 1 attempt of unknown cost (no price is set)',
  )
  expect(describeCost(null, [unknown])).toBe('Cost: 1 attempt of unknown cost (at most 0.1 USD)')
})

test('without any price the cost is unknown, and what to set is said', () => {
  expect(describeCost(null, [{ ...unknown, reserved: 0 }])).toBe(
    'Cost: unknown, the deployment has no price: set pricePerSecond in its target, or the hardware where its provider has a price list',
  )
})

test('what still runs is not counted yet', () => {
  expect(describeCost(usd(0.02), [ended, running])).toBe('Cost so far: 0.0200 USD')
  expect(describeCost(null, [running])).toBe('Cost so far: not known')
})

test('runs that were given up may still be billed, each by its worst case less what is already counted', () => {
  expect(describeCost(usd(0.02), [ended, givenUp])).toBe(
    'Cost: 0.0200 USD; at most 0.1 USD may still be billed by 1 run nobody could confirm as ended',
  )
  expect(describeCost(usd(0.04), [ended, givenUp, { ...givenUp, cost: usd(0.02) }])).toBe(
    'Cost: 0.0400 USD; at most 0.18 USD may still be billed by 2 runs nobody could confirm as ended',
  )
  expect(describeCost(null, [givenUp])).toBe(
    'Cost: not known; at most 0.1 USD may still be billed by 1 run nobody could confirm as ended',
  )
})
