import { expect, test } from 'vitest'
import { describePause } from './probe.ts'

const now = Date.parse('2026-11-24T12:00:00.000Z')
const why = '3 attempts in a row failed, the last with stalled; paused for 30 s.'
const openFor = (ms: number) => ({ state: 'open', until: new Date(now + ms).toISOString(), why }) as const

test('nothing is in the way of a probe where the breaker lets an attempt through', () => {
  expect(describePause('a@b', undefined, now)).toBeNull()
  expect(describePause('a@b', { state: 'closed', until: null, why: null }, now)).toBeNull()
  expect(describePause('a@b', { state: 'half-open', until: null, why }, now)).toBeNull()
})

test('a pause of at most five minutes is waited for, and says so', () => {
  expect(describePause('a@b', openFor(30_000), now)).toEqual({
    waitMs: 30_000,
    line: 'a@b: nothing goes there until 2026-11-24 12:00:30 UTC (3 attempts in a row failed, the last with stalled; paused for 30 s). The probe waits 30 s for that.',
  })
  expect(describePause('a@b', openFor(300_000), now)).toMatchObject({ waitMs: 300_000 })
  expect(describePause('a@b', openFor(-5), now)).toMatchObject({ waitMs: 0 })
})

test('a longer one is told, with what to do', () => {
  expect(describePause('a@b', openFor(300_001), now)).toMatchObject({
    level: 'problem',
    code: 'probe-skipped',
    message: expect.stringContaining('nothing goes there until 2026-11-24 12:05:00 UTC (3 attempts'),
    advice: expect.stringMatching(/^Run this again after then/),
  })
})
