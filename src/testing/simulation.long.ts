import { afterAll, expect, it } from 'vitest'
import { type SimulationOptions, type SimulationResult, simulate } from './simulation.ts'

const first = Math.floor(Math.random() * 2 ** 31)
const results: SimulationResult[] = []
const before = process.cpuUsage()

afterAll(() => {
  const { user, system } = process.cpuUsage(before)
  const predictions = sum(results.map(result => result.predictions))
  const starts = sum(results.map(result => result.paidStartsPerPrediction * result.predictions))
  const crashes = sum(results.map(result => result.crashes))
  const rate = predictions / ((user + system) / 1e6)
  console.log(
    `${results.length} simulations from seed ${first} on: ${predictions} predictions, ${crashes} crashes, ${(starts / predictions).toFixed(3)} paid starts for each; ${rate.toFixed(0)} predictions in a second of processor time.`,
  )
})

/** A million would take an hour: `docs/reliability.md` has its command. */
it.each([
  { runs: 100, predictions: 1_000, store: 'memory' },
  { runs: 20, predictions: 300, store: 'sqlite' },
] as const)('keeps every rule through $runs fresh seeds with $predictions predictions each on $store', async plan => {
  for (let run = 0; run < plan.runs; run++) await simulated({ ...plan, seed: first + run })
})

it('keeps every rule through one long day of crashes', async () => {
  const { crashes } = await simulated({ seed: first, predictions: 4_000 })
  expect(crashes).toBeGreaterThan(20)
})

async function simulated(options: SimulationOptions): Promise<SimulationResult> {
  const result = await simulate(options)
  expect(result.predictions).toBeGreaterThanOrEqual(options.predictions)
  results.push(result)
  return result
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
