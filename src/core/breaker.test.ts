import { describe, expect, it } from 'vitest'
import { breakerOf } from './breaker.ts'
import type { FailureCode } from './failure.ts'
import type { AttemptFact } from './statistics.ts'

/** Attempts that ended at 1 s, 2 s, 3 s, ...: `won`, a failure code, or `live` for one that still works. */
function facts(...ends: readonly ('won' | 'live' | FailureCode)[]): AttemptFact[] {
  return ends.map((end, index) => ({
    deployment: 'sharp@runpod',
    state: end === 'won' ? 'won' : end === 'live' ? 'running' : 'failed',
    failure: end === 'won' || end === 'live' ? null : end,
    plannedAt: index * 1_000,
    submittedAt: index * 1_000,
    bootingAt: null,
    runningAt: null,
    collectingAt: null,
    endedAt: end === 'live' ? null : (index + 1) * 1_000,
    restarts: 0,
    closedUntil: null,
    cost: null,
  }))
}

function stateAt(now: number, own: AttemptFact[], account = own) {
  return breakerOf(own, account, now).state
}

describe('a breaker', () => {
  it('stays closed for failures that are not in a row, and for those of users', () => {
    expect(stateAt(4_000, facts('stalled', 'won', 'stalled', 'stalled'))).toBe('closed')
    expect(stateAt(4_000, facts('input_invalid', 'input_invalid', 'input_invalid', 'input_invalid'))).toBe('closed')
    expect(stateAt(4_000, facts('rate_limited', 'rate_limited', 'rate_limited'))).toBe('closed')
    expect(stateAt(0, [])).toBe('closed')
  })

  it('counts an attempt from its notice on, not from its end, which may take minutes', () => {
    const noticed = facts('stalled', 'stalled', 'start_unknown').map(fact => ({ ...fact, state: 'unknown' as const }))
    expect(stateAt(4_000, noticed)).toBe('open')
  })

  it('opens on the third failure in a row, for 30 s, and says why', () => {
    const failing = facts('stalled', 'worker_lost', 'stalled')
    expect(breakerOf(failing, failing, 3_000)).toEqual({
      state: 'open',
      until: 33_000,
      why: '3 attempts in a row failed, the last with stalled; paused for 30 s.',
    })
    expect(stateAt(32_999, failing)).toBe('open')
    expect(stateAt(33_000, failing)).toBe('half-open')
  })

  it('doubles the pause with each failure more, up to ten minutes', () => {
    const four = facts('stalled', 'stalled', 'stalled', 'stalled')
    expect(breakerOf(four, four, 4_000)).toMatchObject({ until: 64_000 })
    const many = facts(...Array.from({ length: 20 }, () => 'stalled' as const))
    expect(breakerOf(many, many, 20_000)).toMatchObject({ until: 620_000 })
  })

  it('hears nothing from warm-ups about the deployment, and everything about the account', () => {
    const warm = (some: AttemptFact[]) => some.map(fact => ({ ...fact, warm: true }))
    const failing = facts('stalled', 'stalled', 'stalled')
    expect(stateAt(4_000, warm(failing))).toBe('closed')
    const late = warm(facts('won')).map(fact => ({ ...fact, endedAt: 3_500 }))
    expect(stateAt(4_000, [...failing, ...late])).toBe('open')
    expect(stateAt(4_000, [], warm(facts('payment_required')))).toBe('open')
  })

  it('lets one probe through at a time, and closes when it wins', () => {
    const failing = facts('stalled', 'stalled', 'stalled')
    const probe = { ...facts('live')[0], plannedAt: 33_000 } as AttemptFact
    expect(stateAt(34_000, [...failing, probe])).toBe('open')
    const won = { ...probe, state: 'won', endedAt: 40_000 } as AttemptFact
    expect(stateAt(41_000, [...failing, won])).toBe('closed')
  })

  it('opens at the first failure of the account, for every deployment of its provider, until one of them wins', () => {
    const refused = facts('payment_required')
    expect(breakerOf([], refused, 2_000)).toMatchObject({
      state: 'open',
      until: 301_000,
      why: expect.stringContaining('payment_required'),
    })
    expect(stateAt(301_000, [], refused)).toBe('half-open')
    expect(stateAt(3_000, [], facts('payment_required', 'won'))).toBe('closed')
  })
})
