import { availableParallelism } from 'node:os'
import { expect, it } from 'vitest'
import { simulate } from './simulation.ts'
import { simulateSlices, type TimedResult } from './simulation-slices.ts'
import { tabulate } from './simulation-table.ts'

const hour = 3_600_000
const first = Math.floor(Math.random() * 2 ** 31)
const predictions = 1_000
/** So many seeds share a process: enough to pay for its start, few enough that it does not grow old. */
const perProcess = 50
const processes = 20

it('keeps every rule through a million predictions', { timeout: hour }, async ({ signal }) => {
  console.log(`${perProcess * processes} simulations from seed ${first} on ...`)
  const slices = Array.from({ length: processes }, (_, index) => ({
    seed: first + index * perProcess,
    runs: perProcess,
    predictions,
  }))
  const results = await simulateSlices(slices, { atOnce: availableParallelism(), signal })
  for (const { seed, predictions: ended } of results) expect(ended, `seed ${seed}`).toBeGreaterThanOrEqual(predictions)
  expect(sum(results, result => result.predictions)).toBeGreaterThanOrEqual(1_000_000)
  console.log(summarise(results))
  console.log(tabulate(results))
})

it('keeps every rule through 20,000 predictions that no process outlives', { timeout: hour }, async ({ signal }) => {
  const slices = [0, 1].map(index => ({ seed: first + index * 10, runs: 10, predictions, serverless: true }))
  const results = await simulateSlices(slices, { atOnce: availableParallelism(), signal })
  const ended = sum(results, result => result.predictions)
  expect(ended).toBeGreaterThanOrEqual(20_000)
  const turns = sum(results, result => result.turns)
  const storeCalls = sum(results, result => result.storeCalls) / turns
  const polls = sum(results, result => result.polls) / ended
  console.log(
    `${summarise(results)} For each: ${(turns / ended).toFixed(1)} turns of ${storeCalls.toFixed(1)} calls of the store, ${polls.toFixed(1)} polls.`,
  )
})

it('keeps every rule through 20 fresh seeds on SQLite', { timeout: hour }, async () => {
  for (let seed = first; seed < first + 20; seed++) {
    const result = await simulate({ seed, predictions: 300 })
    expect(result.predictions, `seed ${seed}`).toBeGreaterThanOrEqual(300)
  }
})

it('keeps every rule through one long day of crashes', { timeout: hour }, async () => {
  const { predictions, crashes } = await simulate({ seed: first, predictions: 4_000 })
  expect(predictions).toBeGreaterThanOrEqual(4_000)
  expect(crashes).toBeGreaterThan(20)
})

function summarise(results: readonly TimedResult[]): string {
  const ended = sum(results, result => result.predictions)
  const starts = new Map<string, number>()
  for (const [name, count] of results.flatMap(result => Object.entries(result.paidStarts)))
    starts.set(name, (starts.get(name) ?? 0) + count)
  const paid = [...starts.values()].reduce((total, count) => total + count, 0)
  const rate = ended / sum(results, result => result.cpuSeconds)
  return [
    `${results.length} simulations from seed ${first} on: ${ended} predictions`,
    `${sum(results, result => result.crashes)} crashes`,
    `${sum(results, result => result.freezes)} frozen processes`,
    `${(paid / ended).toFixed(3)} paid starts for each (${[...starts].map(entry => entry.join(' ')).join(', ')})`,
    `${rate.toFixed(0)} predictions in a second of processor time.`,
  ].join(', ')
}

function sum(results: readonly TimedResult[], of: (result: TimedResult) => number): number {
  return results.reduce((total, result) => total + of(result), 0)
}
