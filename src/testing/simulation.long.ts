import { afterAll, expect, it } from 'vitest'
import { type SimulationResult, simulate } from './simulation.ts'

const runs = 90
const predictionsPerRun = 300
const first = Math.floor(Math.random() * 2 ** 31)
const results: SimulationResult[] = []

afterAll(() => {
  const predictions = sum(results.map(result => result.predictions))
  const starts = sum(results.map(result => result.paidStartsPerPrediction * result.predictions))
  const crashes = sum(results.map(result => result.crashes))
  console.log(
    `${results.length} simulations from seed ${first} on: ${predictions} predictions, ${crashes} crashes, ${(starts / predictions).toFixed(3)} paid starts for each.`,
  )
})

it(`keeps every rule through ${runs} fresh seeds`, async () => {
  for (let run = 0; run < runs; run++)
    results.push(await simulate({ seed: first + run, predictions: predictionsPerRun }))
  expect(results).toHaveLength(runs)
})

it('keeps every rule through one long day of crashes', async () => {
  const result = await simulate({ seed: first, predictions: 2_000 })
  expect(result.crashes).toBeGreaterThan(20)
  results.push(result)
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
