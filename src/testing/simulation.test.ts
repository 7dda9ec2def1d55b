import { expect, it } from 'vitest'
import { type SimulationOptions, simulate } from './simulation.ts'

const timeout = 120_000
/**
 * Chosen once and kept: they meet crashes, freezes, hedges, budgets, lost starts that fail and that are sent again, each
 * emulated vendor alone and both, with kits and without.
 */
const kept = [1, 4, 9, 12, 20, 2026]
/** New ones in every run; a failure says how to replay it. */
const fresh = (count: number) => Array.from({ length: count }, () => Math.floor(Math.random() * 2 ** 31))

const plans: SimulationOptions[] = [
  ...[...kept, ...fresh(3)].map((seed): SimulationOptions => ({ seed, predictions: 200 })),
  // A process that took its time once removed the file with which another one had won.
  ...[7, ...fresh(2)].map((seed): SimulationOptions => ({ seed, predictions: 1_000, store: 'memory' })),
]

it.each(plans)('keeps every rule and settles, whatever seed $seed brings', { timeout }, async plan => {
  const result = await simulate(plan)
  expect(result.predictions).toBeGreaterThanOrEqual(plan.predictions)
  expect(result.statuses.succeeded).toBeGreaterThan(plan.predictions / 2)
})

it('ends every prediction well, with one paid start each, where nothing goes wrong', { timeout }, async () => {
  const result = await simulate({ seed: 7, predictions: 100, faults: false })
  const { succeeded = 0, aborted = 0, canceled = 0 } = result.statuses
  // Some clients cancel after 20 s by themselves.
  expect(succeeded + aborted + canceled).toBe(result.predictions)
  expect(result.attempts).toBe(result.predictions)
  expect(result.paidStartsPerPrediction).toBe(1)
})

it.each(['sqlite', 'memory'] as const)('replays a seed exactly on %s', { timeout }, async store => {
  const options = { seed: 42, predictions: 100, store }
  expect(await simulate(options)).toEqual(await simulate(options))
})
