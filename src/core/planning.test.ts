import { describe, expect, it } from 'vitest'
import type { FailureCode } from './failure.ts'
import { begunBy, bring } from './test-states.ts'
import { createLife, type Life, type LifeOptions, sampleFailure } from './test-support.ts'

const three: LifeOptions['route'] = [{}, { name: 'second' }, { name: 'third' }]

/** Which deployment each attempt went to. */
function went(life: Life): string[] {
  return life.record.attempts.map(({ deployment }) => deployment)
}

/** Refuses each attempt with the next of these codes, and lets time pass until the following one is sent. */
function refuse(life: Life, ...codes: readonly FailureCode[]): Life {
  for (const code of codes) {
    life.startRejected(sampleFailure(code))
    settle(life)
  }
  return life
}

function settle(life: Life): void {
  while (life.record.settledAt === null && life.attempt().state !== 'submitting') life.at(life.last.nextAt ?? 0)
}

function end(life: Life): string {
  return life.record.failure === null ? life.record.status : `${life.record.status}: ${life.record.failure.code}`
}

describe('failover', () => {
  it.each([
    ['goes through the route in its order', ['no_capacity', 'no_capacity'], ['first', 'second', 'third']],
    ['tries the same deployment once more after what may pass', ['provider_error'], ['first', 'first']],
    [
      'goes on after the same failure again',
      ['provider_error', 'provider_error', 'provider_error'],
      ['first', 'first', 'second', 'second'],
    ],
    [
      'comes back to where least has failed',
      ['no_capacity', 'no_capacity', 'no_capacity', 'no_capacity'],
      ['first', 'second', 'third', 'first', 'second'],
    ],
    [
      'never returns where memory did not suffice',
      ['out_of_memory', 'no_capacity', 'no_capacity', 'no_capacity'],
      ['first', 'second', 'third', 'second', 'third'],
    ],
    [
      'never returns where there is no GPU',
      ['no_gpu', 'no_capacity', 'no_capacity'],
      ['first', 'second', 'third', 'second'],
    ],
    [
      'never returns where the credentials are wrong',
      ['auth_rejected', 'no_capacity', 'no_capacity'],
      ['first', 'second', 'third', 'second'],
    ],
  ] as const)('%s', (_, codes, deployments) => {
    expect(went(refuse(createLife({ route: three, policy: { attempts: 9 } }), ...codes))).toEqual(deployments)
  })

  it('to another deployment does not wait', () => {
    const life = createLife({ route: three })
    life.startRejected(sampleFailure('no_capacity'))
    expect([went(life), life.now]).toEqual([['first', 'second'], 0])
  })

  it('to another deployment does not wait either when the wait for the same one would be long', () => {
    const life = createLife({ route: three })
    life.startRejected(sampleFailure('provider_error', { retryAfterMs: 15_001 }))
    expect([went(life), life.now]).toEqual([['first', 'second'], 0])
  })

  it('ends when every deployment is spent, with the last failure', () => {
    const life = refuse(
      createLife({ route: three, policy: { attempts: 9 } }),
      'auth_rejected',
      'out_of_memory',
      'deployment_missing',
    )
    expect([went(life), end(life)]).toEqual([['first', 'second', 'third'], 'failed: deployment_missing'])
  })

  it('does not happen after what no deployment can help', () => {
    const ends = (['input_invalid', 'storage_full', 'internal'] as const).map(code =>
      end(refuse(createLife({ route: three }), code)),
    )
    expect(ends).toEqual(['failed: input_invalid', 'failed: storage_full', 'failed: internal'])
  })

  it('goes on where the bytes of one deployment cannot travel, and ends so when those of none can', () => {
    const life = refuse(createLife({ route: three }), 'no_route_for_bytes')
    expect(went(life)).toEqual(['first', 'second'])
    expect(end(refuse(life, 'no_route_for_bytes', 'no_route_for_bytes'))).toBe('failed: no_route_for_bytes')
  })

  it('looks at the newest failure, also when it is not the newest attempt that failed', () => {
    const life = createLife({ route: three, policy: { hedges: 1, attempts: 4 } })
    bring.running(life, 1)
    life.at(life.attempt().changedAt + life.policy.stallMs)
    life.startRejected(sampleFailure('no_capacity'), 2)
    life.startRejected(sampleFailure('no_capacity'), 3)
    life.startRejected(sampleFailure('no_capacity'), 4)
    life.at(life.now + 1)
    life.heard('failed', { failure: sampleFailure('input_invalid') }, 1)
    expect([went(life), end(life)]).toEqual([['first', 'second', 'third', 'first'], 'failed: input_invalid'])
  })

  it('ends a prediction whose model has no deployment', () => {
    expect(end(createLife({ route: [] }))).toBe('failed: deployment_missing')
  })
})

describe('attempts', () => {
  it('end with the policy, and the failure says so', () => {
    const life = refuse(createLife({ route: three, policy: { attempts: 2 } }), 'no_capacity', 'no_capacity')
    expect([went(life), end(life), life.record.failure?.message]).toEqual([
      ['first', 'second'],
      'failed: no_capacity',
      'no_capacity. No attempt is left: 2 of 2 attempts are used up.',
    ])
  })

  it('that a rate limit refused do not count, up to twenty of them', () => {
    const life = createLife({ policy: { attempts: 1, deadlineMs: 24 * 3_600_000 } })
    refuse(life, ...Array.from({ length: 19 }, () => 'rate_limited' as const))
    expect([life.record.attempts.length, end(life)]).toEqual([20, 'starting'])
    refuse(life, 'rate_limited')
    expect([life.record.attempts.length, end(life)]).toEqual([20, 'failed: rate_limited'])
  })

  it('that a rate limit refused do not count against the one more try of what may pass', () => {
    const life = createLife({ route: three, policy: { attempts: 3 } })
    expect(went(refuse(life, 'rate_limited', 'provider_error'))).toEqual(['first', 'first', 'first'])
  })
})

describe('the wait before the same deployment is tried again', () => {
  function waits(jitter: number, retryAfterMs?: number): number[] {
    const life = createLife({ jitter: () => jitter, policy: { attempts: 9, deadlineMs: 24 * 3_600_000 } })
    return Array.from({ length: 7 }, () => {
      life.startRejected(sampleFailure('no_capacity', { retryAfterMs }))
      const failedAt = life.now
      settle(life)
      return life.now - failedAt
    })
  }

  it('doubles up to half a minute, with full jitter', () => {
    expect([waits(0), waits(0.5), waits(0.999)]).toEqual([
      [0, 0, 0, 0, 0, 0, 0],
      [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000],
      [999, 1_998, 3_996, 7_992, 15_984, 29_970, 29_970],
    ])
  })

  it('is never shorter than the provider asked for, and up to a tenth longer', () => {
    expect([waits(0, 2_000), waits(0.5, 2_000)]).toEqual([
      [2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000],
      [2_100, 2_100, 2_100, 4_000, 8_000, 15_000, 15_000],
    ])
  })

  it('ends to the millisecond', () => {
    const life = createLife()
    life.startRejected(sampleFailure('rate_limited', { retryAfterMs: 2_000 }))
    expect(life.last.nextAt).toBe(2_100)
    expect(begunBy(life, () => life.at(2_099))).toBe('')
    expect(begunBy(life, () => life.at(2_100))).toBe('start 2')
  })

  it('of up to 15 seconds is kept although others are free, after what may pass', () => {
    const life = createLife({ route: three, jitter: () => 0 })
    life.startRejected(sampleFailure('rate_limited', { retryAfterMs: 15_000 }))
    expect([went(life), life.last.nextAt]).toEqual([['first'], 15_000])
  })
})

describe('places', () => {
  it('are waited for, in the first deployment of the route, where none has any', () => {
    const life = createLife({ route: [{ free: 0 }, { name: 'second', free: 0 }] })
    expect([went(life), life.begun, life.last.nextAt]).toEqual([['first'], [], 1_000])
    life.change({}, { first: { free: 1 } })
    expect(begunBy(life, () => life.at(1_000))).toBe('start 1')
    expect(life.last.reservations).toEqual([{ deployment: 'first', amount: 0.6 }])
  })

  it('that another deployment gets later are taken by who still waits, once, without a second attempt', () => {
    const life = createLife({ route: [{ free: 0 }, { name: 'second', free: 0, pricePerSecond: 0.002 }] })
    life.at(1_000)
    expect(life.record.decisions.filter(({ what }) => what === 'waits')).toHaveLength(1)
    life.change({}, { second: { free: 1 } })
    expect(begunBy(life, () => life.at(2_000))).toBe('start 1')
    expect([went(life), life.last.reservations]).toEqual([['second'], [{ deployment: 'second', amount: 1.2 }]])
  })

  it('are waited for there as well when the provider asks to be left alone', () => {
    const life = createLife({ route: [{ free: 0 }] })
    life.change({}, { first: { free: 1, closedUntil: 9_000 } })
    life.at(1_000)
    expect(begunBy(life, () => life.at(9_000))).toBe('start 1')
  })

  it.each([
    ['for 15 seconds', undefined, 15_000],
    ['for as long as it asked', 20_000, 20_000],
  ])('where this prediction has failed stay free %s, while others have none', (_, retryAfterMs, until) => {
    const life = createLife({ route: [{}, { name: 'second', free: 0 }], jitter: () => 0 })
    life.startRejected(sampleFailure('boot_timeout', retryAfterMs === undefined ? {} : { retryAfterMs }))
    expect(went(life)).toEqual(['first', 'second'])
    expect(begunBy(life, () => life.at(until - 1))).toBe('')
    expect(begunBy(life, () => life.at(until))).toBe('start 2')
    expect(went(life)).toEqual(['first', 'first'])
  })

  it('are not waited for while another deployment has some', () => {
    const life = createLife({ route: [{ free: 0 }, { name: 'second' }] })
    expect([went(life), life.begun]).toEqual([['second'], ['start 1']])
  })

  it('that the provider closed open at its time, to the millisecond', () => {
    const life = createLife({ route: [{ closedUntil: 5_000 }] })
    expect([went(life), life.last.nextAt]).toEqual([[], 5_000])
    expect(begunBy(life, () => life.at(4_999))).toBe('')
    expect(begunBy(life, () => life.at(5_000))).toBe('start 1')
  })

  it('that become free are not taken while the provider is closed', () => {
    const life = createLife({ route: [{ free: 0 }] })
    life.change({}, { first: { free: 1, closedUntil: 5_000 } })
    expect(begunBy(life, () => life.at(4_999))).toBe('')
    expect(begunBy(life, () => life.at(5_000))).toBe('start 1')
  })

  it('are only taken with the lease', () => {
    const life = createLife({ route: [{ free: 0 }] })
    life.change({ mayBegin: false }, { first: { free: 1 } })
    life.at(1_000)
    expect([life.begun, life.last.reservations, life.last.nextAt]).toEqual([[], [], 1_000])
  })
})

describe('the budget', () => {
  /** The worst case of an attempt is 10 minutes at 0.001 USD a second: 0.60 USD. */
  const budget = (amount: number, options: LifeOptions = {}): Life =>
    createLife({ route: three, ...options, policy: { budget: amount, ...options.policy } })
  const cost = (amount: number) => ({ amount, currency: 'USD', estimated: false }) as const

  it('covers the worst case of an attempt before it is sent, to the cent', () => {
    const enough = budget(0.6)
    const tooLittle = budget(0.59)
    expect([enough.begun, enough.attempt().reserved, tooLittle.begun, end(tooLittle)]).toEqual([
      ['start 1'],
      0.6,
      [],
      'failed: budget_exceeded',
    ])
  })

  it('is not spent by a start that was refused', () => {
    expect(went(refuse(budget(0.6), 'no_capacity', 'no_capacity'))).toEqual(['first', 'second', 'third'])
  })

  it('is spent by what an ended run cost, not by its worst case', () => {
    const life = budget(0.7)
    bring.running(life, 1)
    life.heard('failed', {}, 1, cost(0.1))
    expect([went(life), end(life)]).toEqual([['first', 'second'], 'processing'])
    const dear = budget(0.7)
    bring.running(dear, 1)
    dear.heard('failed', {}, 1, cost(0.11))
    expect([went(dear), end(dear)]).toEqual([['first'], 'failed: budget_exceeded'])
  })

  it('is spent by the worst case of what may still run, whatever it has cost so far', () => {
    const life = budget(1.1, { policy: { hedges: 1 } })
    bring.running(life, 1)
    life.heard('running', {}, 1, cost(0.01))
    life.at(life.policy.stallMs)
    expect([went(life), end(life)]).toEqual([['first'], 'processing'])
    const lost = budget(1.1)
    lost.startUnknown()
    lost.at(90_000)
    lost.at(100_000)
    expect([went(lost), end(lost)]).toEqual([['first'], 'failed: budget_exceeded'])
  })

  it('of a day covers the worst case of an attempt on top of what was spent, to the cent', () => {
    const perDay = (spentToday: number) => createLife({ route: three, policy: { budgetPerDay: 1 }, spentToday })
    const tooLittle = perDay(0.41)
    expect([perDay(0.4).begun, tooLittle.begun, end(tooLittle)]).toEqual([['start 1'], [], 'failed: budget_exceeded'])
    expect(tooLittle.record.failure?.message).toBe(
      "Another attempt is not covered by today's budget of 1 USD, of which 0.41 are spent or reserved (first: up to 0.6 USD; second: up to 0.6 USD; third: up to 0.6 USD).",
    )
  })

  it('of a day that others have spent meanwhile sends what still waits to where it costs less', () => {
    const route = [{ free: 0 }, { name: 'own', free: 0, pricePerSecond: 0 }]
    const life = createLife({ route, policy: { budgetPerDay: 1 }, spentToday: 0.4 })
    life.change({ spentToday: 0.41 }, { first: { free: 1 } })
    life.at(1_000)
    expect([went(life), life.begun]).toEqual([['own'], []])
    life.change({}, { own: { free: 1 } })
    expect(begunBy(life, () => life.at(2_000))).toBe('start 1')
  })

  it('of a day is looked at again when an attempt that waited for a place may begin', () => {
    const route = [{ free: 0 }]
    const life = createLife({ route, policy: { budgetPerDay: 1 }, spentToday: 0.4 })
    expect(life.begun).toEqual([])
    life.change({ spentToday: 0.41 }, { first: { free: 1 } })
    life.at(1_000)
    life.at(1_000)
    expect([life.begun, end(life)]).toEqual([[], 'failed: budget_exceeded'])
  })

  it('leaves out deployments that are too dear, or whose price nobody knows', () => {
    const route = [{ pricePerSecond: 0.01 }, { name: 'second', pricePerSecond: null }, { name: 'third' }]
    expect(went(budget(0.6, { route }))).toEqual(['third'])
    expect(went(createLife({ route }))).toEqual(['first'])
  })
})
