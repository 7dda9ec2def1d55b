import { expect, test } from 'vitest'
import type { Cost } from '../core/prediction.ts'
import { describeCost } from './show.ts'

const usd = (amount: number): Cost => ({ amount, currency: 'USD', estimated: false })
const ended = { release: 'confirmed', reserved: 0.5, cost: usd(0.02) } as const
const givenUp = { release: 'given_up', reserved: 0.1, cost: null } as const

test('the cost stands alone where every run was confirmed as ended, or none could cost anything', () => {
  expect(describeCost(usd(0.02), [ended])).toBe('Cost: 0.0200 USD')
  expect(describeCost(usd(0.02), [ended, { ...givenUp, reserved: 0 }])).toBe('Cost: 0.0200 USD')
  expect(describeCost(null, [{ ...ended, cost: null }])).toBe(null)
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
