import { expect, it } from 'vitest'
import { createAttempt } from './attempt.ts'
import { occupiesPlace, verdictOf } from './prediction.ts'
import { sampleFailure } from './test-support.ts'

it.each([
  ['planned', 'none', false],
  ['submitting', 'none', true],
  ['submitting', 'open', true],
  ['unknown', 'open', true],
  ['queued', 'open', true],
  ['booting', 'open', true],
  ['running', 'open', true],
  // The provider has finished, but whether its worker is free again is only known when the attempt ends.
  ['collecting', 'confirmed', true],
  ['won', 'open', true],
  ['won', 'confirmed', false],
  ['failed', 'open', true],
  ['failed', 'none', false],
  ['failed', 'given_up', false],
  ['canceled', 'open', true],
  ['canceled', 'confirmed', false],
  ['lost', 'given_up', false],
  ['superseded', 'open', true],
  ['superseded', 'confirmed', false],
] as const)('an attempt that is %s with release %s occupies a place: %s', (state, release, occupies) => {
  expect(occupiesPlace({ state, release, abandoned: null })).toBe(occupies)
})

it('a lost start that was not found in its time gives its place back, although its run may still turn up', () => {
  const abandoned = { at: 90_000, as: 'failed', failure: null } as const
  expect(occupiesPlace({ state: 'unknown', release: 'none', abandoned })).toBe(false)
  expect(occupiesPlace({ state: 'running', release: 'open', abandoned })).toBe(true)
})

it('what speaks against an attempt is its failure, or the one for which it was given notice', () => {
  const attempt = { ...createAttempt('a', 1, 'first', 0), state: 'running' as const }
  const failure = sampleFailure('stalled')
  expect(verdictOf(attempt)).toEqual({ failure: null, at: null })
  expect(verdictOf({ ...attempt, abandoned: { at: 7, as: 'failed', failure } })).toEqual({ failure, at: 7 })
  expect(verdictOf({ ...attempt, abandoned: { at: 7, as: 'superseded', failure: null } }).at).toBeNull()
  expect(verdictOf({ ...attempt, state: 'failed', failure, endedAt: 9 })).toEqual({ failure, at: 9 })
})
