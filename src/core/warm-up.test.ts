import { expect, test } from 'vitest'
import { defaultPolicy } from './policy.ts'
import type { AttemptFact } from './statistics.ts'
import { type EarlierWarmUp, lastUsedAt, nextWarmUpAt, usualWaitMs, warmUpPolicy } from './warm-up.ts'

function fact(over: Partial<AttemptFact>): AttemptFact {
  return {
    deployment: 'sharp@runpod',
    state: 'won',
    failure: null,
    plannedAt: 0,
    submittedAt: 0,
    bootingAt: null,
    runningAt: null,
    collectingAt: null,
    endedAt: 1_000,
    restarts: 0,
    closedUntil: null,
    cost: null,
    ...over,
  }
}

test('a deployment was last used when the last attempt there ended, or is in use now', () => {
  expect(lastUsedAt([], 9)).toBe(0)
  expect(lastUsedAt([fact({ endedAt: 5_000 }), fact({ endedAt: 7_000 }), fact({})], 9_000)).toBe(7_000)
  expect(lastUsedAt([fact({}), fact({ state: 'queued', endedAt: null })], 9_000)).toBe(9_000)
})

test('an attempt that never left is no use, and one that was given notice is one until its end', () => {
  expect(lastUsedAt([fact({ state: 'canceled', submittedAt: null, endedAt: 8_000 })], 9_000)).toBe(0)
  expect(lastUsedAt([fact({ state: 'running', endedAt: 8_000 })], 9_000)).toBe(9_000)
})

const at = (status: EarlierWarmUp['status'], completedAt: number | null): EarlierWarmUp => ({ status, completedAt })

test.each<[string, number, readonly EarlierWarmUp[], number]>([
  ['after its wait where there was none before', 1_000, [], 241_000],
  ['never while one goes on', 0, [at('processing', null)], Number.POSITIVE_INFINITY],
  ['after its wait since the last one', 0, [at('succeeded', 5_000)], 245_000],
  ['after its wait since somebody else used it', 9_000, [at('succeeded', 5_000)], 249_000],
  ['after twice its wait where one failed', 0, [at('failed', 5_000), at('succeeded', 1)], 485_000],
  ['after four times its wait where two failed', 0, [at('failed', 5_000), at('failed', 4_000)], 965_000],
  ['after an hour at most', 0, Array<EarlierWarmUp>(9).fill(at('failed', 5_000)), 3_605_000],
  ['not before its wait since a use, failures or not', 1_000_000, [at('failed', 5_000)], 1_240_000],
])('the next one comes %s', (_, usedAt, earlier, expected) => {
  expect(nextWarmUpAt(usedAt, earlier, 240_000)).toBe(expected)
})

test.each([
  [300_000, 240_000],
  [60_000, 48_000],
  [37_500, 30_000],
  [5_000, 240_000],
  [null, 240_000],
])('where workers stay for %j ms, it is warmed after %i ms without use', (idleMs, waitMs) => {
  expect(usualWaitMs(idleMs)).toBe(waitMs)
})

test('it is one attempt, whatever its model may try', () => {
  const policy = { ...defaultPolicy, attempts: 5, hedges: 2, routing: 'weighted' } as const
  expect(warmUpPolicy(policy)).toEqual({ ...policy, attempts: 1, hedges: 0, onUnknown: 'fail', routing: 'ordered' })
})
