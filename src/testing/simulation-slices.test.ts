import { expect, it } from 'vitest'
import { simulate } from './simulation.ts'
import { simulateSlices } from './simulation-slices.ts'

const timeout = 60_000
const forever = new AbortController().signal

it('tells of every run of every slice, in the order of the seeds, as a run in this process would', {
  timeout,
}, async () => {
  const slices = [
    { seed: 5, runs: 2, predictions: 20 },
    { seed: 7, runs: 1, predictions: 20 },
  ]
  const results = await simulateSlices(slices, { atOnce: 2, signal: forever })
  const alone = []
  for (const seed of [5, 6, 7]) alone.push(await simulate({ seed, predictions: 20, store: 'memory' }))
  expect(results).toMatchObject(alone)
})

it('fails with the words of a process that died, and ends the others', { timeout }, async () => {
  const slices = [
    { seed: 5, runs: 1, predictions: 1_000_000 },
    { seed: 6, runs: 1, predictions: -1 },
  ]
  await expect(simulateSlices(slices, { atOnce: 2, signal: forever })).rejects.toThrow(
    /seeds 6 to 6 told of 0 of 1 runs \(exit status 1\): .*--predictions is a number, not "-1"/s,
  )
})

it('ends its processes when nobody waits for them any more', { timeout }, async () => {
  const ending = new AbortController()
  const running = simulateSlices([{ seed: 5, runs: 1, predictions: 1_000_000 }], { atOnce: 1, signal: ending.signal })
  ending.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
})
