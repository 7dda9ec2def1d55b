import { expect, it } from 'vitest'
import { simulate } from './simulation.ts'

const timeout = 120_000
/** Chosen once and kept: they meet crashes, freezes, hedges, budgets, and both kinds of search at the emulated vendor. */
const kept = [1, 3, 4, 12, 110, 2026]
/** New ones in every run; a failure says how to replay it. */
const fresh = Array.from({ length: 4 }, () => Math.floor(Math.random() * 2 ** 31))

it.each([...kept, ...fresh])('keeps every rule and settles, whatever seed %i brings', { timeout }, async seed => {
  const result = await simulate({ seed, predictions: 200 })
  expect(result.predictions).toBeGreaterThanOrEqual(200)
  expect(result.statuses.succeeded).toBeGreaterThan(100)
})

it('ends every prediction well, with one paid start each, where nothing goes wrong', { timeout }, async () => {
  const result = await simulate({ seed: 7, predictions: 100, faults: false })
  const { succeeded = 0, aborted = 0, canceled = 0 } = result.statuses
  // Some clients cancel after 20 s by themselves.
  expect(succeeded + aborted + canceled).toBe(result.predictions)
  expect(result.attempts).toBe(result.predictions)
  expect(result.paidStartsPerPrediction).toBe(1)
})

it('replays a seed exactly', { timeout }, async () => {
  const options = { seed: 42, predictions: 100 }
  expect(await simulate(options)).toEqual(await simulate(options))
})
