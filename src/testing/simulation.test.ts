import { expect, it } from 'vitest'
import { type SimulationOptions, simulate } from './simulation.ts'
import { vendorNames } from './simulation-vendors.ts'

const timeout = 120_000
/**
 * Chosen once and kept: they meet crashes, freezes, hedges, budgets, lost starts that fail and that are sent again, with
 * kits and without; and, with the plans below, every way of every emulated vendor.
 */
const kept = [1, 2, 6, 12, 19, 32]
/** New ones in every run; a failure says how to replay it. */
const fresh = (count: number) => Array.from({ length: count }, () => Math.floor(Math.random() * 2 ** 31))

const plans: SimulationOptions[] = [
  ...[...kept, ...fresh(3)].map((seed): SimulationOptions => ({ seed, predictions: 200 })),
  ...[7, ...fresh(2)].map((seed): SimulationOptions => ({ seed, predictions: 1_000, store: 'memory' })),
  ...[301, ...fresh(2)].map(
    (seed): SimulationOptions => ({ seed, predictions: 400, store: 'memory', serverless: true }),
  ),
  { seed: 302, predictions: 100, serverless: true },
  { seed: 10, predictions: 200, store: 'memory', vendors: ['ecs', 'lambda', 'sagemaker', 'koyeb-held'] },
]

it.each(plans)('keeps every rule and settles, whatever seed $seed brings', { timeout }, async plan => {
  const result = await simulate(plan)
  expect(result.predictions).toBeGreaterThanOrEqual(plan.predictions)
  expect(result.statuses.succeeded).toBeGreaterThan(plan.predictions / 2)
})

it.each(vendorNames)(
  'ends every prediction well, with one paid start each, where nothing goes wrong at %s',
  { timeout },
  async vendor => {
    const plan: SimulationOptions = { seed: 7, predictions: 40, faults: false, store: 'memory', vendors: [vendor] }
    const result = await simulate(plan)
    const { succeeded = 0, aborted = 0, canceled = 0 } = result.statuses
    // Some clients cancel after 20 s by themselves.
    expect(succeeded + aborted + canceled).toBe(result.predictions)
    const paid = Object.values(result.paidStarts).reduce((sum, count) => sum + count, 0)
    expect(paid).toBe(result.predictions - aborted)
    expect(result.paidStarts[`text@${vendor}`]).toBeGreaterThan(0)
  },
)

it('ends every prediction well, with one paid start each, where nothing but requests and a cron drives it', {
  timeout,
}, async () => {
  const plan: SimulationOptions = { seed: 7, predictions: 40, faults: false, store: 'memory', serverless: true }
  const { statuses, predictions, turns, paidStarts } = await simulate(plan)
  const { succeeded = 0, aborted = 0, canceled = 0 } = statuses
  expect(succeeded + aborted + canceled).toBe(predictions)
  expect(Object.values(paidStarts).reduce((sum, count) => sum + count, 0)).toBe(predictions - aborted)
  expect(turns).toBeGreaterThan(predictions)
})

it('drives nothing by requests that lives on a held connection', { timeout }, async () => {
  const plan: SimulationOptions = { seed: 7, predictions: 1, serverless: true, vendors: ['modal-web'] }
  await expect(simulate(plan)).rejects.toThrow('modal-web lives on held connections, which end with the request')
})

it.each(['sqlite', 'memory'] as const)('replays a seed exactly on %s', { timeout }, async store => {
  const options = { seed: 42, predictions: 100, store }
  expect(await simulate(options)).toEqual(await simulate(options))
})
