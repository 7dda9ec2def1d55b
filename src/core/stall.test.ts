import { expect, it } from 'vitest'
import { defaultPolicy } from './policy.ts'
import { stallLimit } from './stall.ts'
import { measure } from './statistics.ts'

/** `count` runs that took `seconds` each. */
function runs(count: number, seconds: number) {
  return measure(
    Array.from({ length: count }, () => ({
      ...({
        deployment: 'sharp@runpod',
        state: 'won',
        failure: null,
        plannedAt: 0,
        submittedAt: 0,
        bootingAt: 0,
      } as const),
      ...{
        runningAt: 0,
        collectingAt: seconds * 1_000,
        endedAt: seconds * 1_000,
        restarts: 0,
        closedUntil: null,
        cost: null,
      },
    })),
  )
}

it("is policy's own number until eight runs have finished", () => {
  expect(stallLimit(defaultPolicy, null)).toEqual({ ms: 120_000, from: "policy's 120 s" })
  expect(stallLimit(defaultPolicy, runs(7, 30)).ms).toBe(120_000)
})

it('is four times the median run after that, and says so', () => {
  expect(stallLimit(defaultPolicy, runs(8, 30))).toEqual({ ms: 120_000, from: '4 x the median run of 30 s (8 runs)' })
  expect(stallLimit(defaultPolicy, runs(8, 40)).ms).toBe(160_000)
})

it('is the limit of the whole run where runs are silent, until eight have finished', () => {
  const silent = (count: number) => stallLimit(defaultPolicy, runs(count, 200), true)
  expect(silent(7)).toEqual({ ms: 600_000, from: 'the whole run, which shows no progress there' })
  expect(silent(8)).toEqual(stallLimit(defaultPolicy, runs(8, 200)))
})

it('stays within the bounds that policy states', () => {
  expect(stallLimit(defaultPolicy, runs(8, 2))).toEqual({
    ms: 45_000,
    from: '4 x the median run of 2 s (8 runs), bounded to 45 s',
  })
  expect(stallLimit(defaultPolicy, runs(8, 400)).ms).toBe(600_000)
})
