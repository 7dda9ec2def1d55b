import { expect, it } from 'vitest'
import { occupiesPlace } from './attempts.ts'

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
  expect(occupiesPlace({ state, release })).toBe(occupies)
})
