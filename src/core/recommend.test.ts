import { describe, expect, it } from 'vitest'
import { type Candidate, recommend, type StatedTimes } from './recommend.ts'
import { type Measured, measure, wilson } from './statistics.ts'

const stated: StatedTimes = { run: 5, coldStart: 60, source: 'a paper', asOf: '2026-11-23' }

/** Figures of so many attempts, with medians in seconds and dollars for each finished image. */
function measured(
  samples: number,
  over: { won?: number; p50?: number; p95?: number; cost?: number | null } = {},
): Measured {
  const { won = samples, p50 = 10, p95 = p50 * 2, cost = 0.01 } = over
  return {
    ...measure([]),
    samples,
    won,
    success: samples === 0 ? null : { rate: won / samples, ...wilson(won, samples) },
    total: won === 0 ? null : { samples: won, p50: p50 * 1000, p95: p95 * 1000, p99: p95 * 1000 },
    costPerSuccess: won === 0 ? null : cost,
  }
}

function candidate(name: string, over: Partial<Candidate> = {}): Candidate {
  return {
    name,
    measured: measured(0),
    breaker: { state: 'closed' },
    pricePerSecond: 0.001,
    pricesAsOf: '2026-06-08',
    ...over,
  }
}

describe('a recommendation by cost', () => {
  it('takes what was measured, with the others beside it', () => {
    const answer = recommend(
      [
        candidate('a', { measured: measured(20, { cost: 0.02 }) }),
        candidate('b', { measured: measured(8, { cost: 0.0123 }) }),
      ],
      { prefer: 'cost' },
      stated,
    )
    expect(answer).toMatchObject({ deployment: 'b', basis: 'measured', assumptions: [] })
    expect(answer.reasons).toEqual([
      'b: 0.0123 USD for each finished image, measured.',
      'a: 0.02 USD for each finished image, measured.',
    ])
  })

  it('takes the price list times a cold start and a run below eight attempts, and dates what it assumed', () => {
    const answer = recommend([candidate('a', { measured: measured(7, { cost: 99 }) })], { prefer: 'cost' }, stated)
    expect(answer).toMatchObject({
      deployment: 'a',
      basis: 'declared',
      reasons: ['a: 0.065 USD for each finished image, declared.'],
    })
    expect(answer.assumptions).toEqual([
      'a has 7 of 8 attempts to measure by.',
      'a costs 0.001 USD a second, by the price list of 2026-06-08.',
      'A run takes 5 s after a cold start of 60 s (a paper, 2026-11-23).',
    ])
  })

  it('says of how many attempts nobody knows the cost', () => {
    const figures = { ...measured(9), unpriced: 2 }
    const answer = recommend([candidate('a', { measured: figures })], { prefer: 'cost' }, stated)
    expect(answer.assumptions).toEqual(['a has 2 attempts whose cost nobody knows; they count as nothing.'])
    expect(recommend([candidate('a', { measured: figures })], { prefer: 'speed' }, stated).assumptions).toEqual([])
  })

  it('puts unknown costs last and makes none up', () => {
    const answer = recommend(
      [candidate('unpriced', { pricePerSecond: null }), candidate('priced')],
      { prefer: 'cost' },
      stated,
    )
    expect(answer.ranking.map(({ name, cost }) => [name, cost?.value ?? null])).toEqual([
      ['priced', 0.065],
      ['unpriced', null],
    ])
    expect(answer.reasons).toContain('unpriced: no data yet.')
  })

  it('knows that what is free of charge costs nothing, however long it takes', () => {
    const answer = recommend([candidate('here', { pricePerSecond: 0, pricesAsOf: null })], { prefer: 'cost' }, null)
    expect(answer).toMatchObject({ deployment: 'here', basis: 'declared' })
    expect(answer.reasons).toEqual(['here: 0 USD for each finished image, declared.'])
    expect(answer.assumptions).toEqual([
      'here has no attempts to measure by.',
      'here costs 0 USD a second, as configured.',
    ])
  })
})

describe('a recommendation by speed', () => {
  it('compares medians, and what nobody measured at its cold start', () => {
    const answer = recommend(
      [
        candidate('unknown'),
        candidate('slow', { measured: measured(9, { p50: 64 }) }),
        candidate('quick', { measured: measured(9, { p50: 3 }) }),
      ],
      { prefer: 'speed' },
      stated,
    )
    expect(answer.ranking.map(({ name }) => name)).toEqual(['quick', 'slow', 'unknown'])
    expect(answer.reasons[0]).toBe('quick: 3 s to a result in the median, measured.')
  })

  it('holds the slow results, not the median, to the limit', () => {
    const candidates = [
      candidate('a', { measured: measured(9, { p50: 3, p95: 40 }) }),
      candidate('b', { measured: measured(9, { p50: 5, p95: 6 }) }),
    ]
    const answer = recommend(candidates, { prefer: 'speed', maxSeconds: 39.9 }, stated)
    expect(answer.deployment).toBe('b')
    expect(answer.reasons).toContain('a is out: it takes up to 40 s (measured), over the limit of 39.9 s.')
    expect(recommend(candidates, { prefer: 'speed', maxSeconds: 40 }, stated).deployment).toBe('a')
  })
})

describe('a recommendation by reliability', () => {
  it('trusts many good attempts more than a few perfect ones', () => {
    const answer = recommend(
      [candidate('few', { measured: measured(8) }), candidate('many', { measured: measured(100, { won: 97 }) })],
      { prefer: 'reliability' },
      stated,
    )
    expect(answer).toMatchObject({ deployment: 'many', basis: 'measured' })
    expect(answer.reasons).toEqual([
      'many: at least 91.5 % of attempts succeed, measured.',
      'few: at least 67.5 % of attempts succeed, measured.',
    ])
  })

  it('falls back on the order of the configuration where nothing is known, and says so', () => {
    const answer = recommend([candidate('first'), candidate('second')], { prefer: 'reliability' }, stated)
    expect(answer).toMatchObject({
      deployment: 'first',
      basis: null,
      reasons: ['Nothing is known yet of reliability: first comes first in the configuration.'],
    })
  })
})

describe('whatever is preferred', () => {
  it('leaves out what is not used just now, and what fails more often than not', () => {
    const until = 1
    const answer = recommend(
      [
        candidate('broken', { breaker: { state: 'open', until, why: '3 attempts in a row failed.' } }),
        candidate('bad', { measured: measured(20, { won: 4, cost: 0.0001 }) }),
        candidate('dear', { pricePerSecond: 1 }),
      ],
      { prefer: 'cost' },
      stated,
    )
    expect(answer.deployment).toBe('dear')
    expect(answer.reasons.slice(1)).toEqual([
      'broken is out: it is not used just now. 3 attempts in a row failed.',
      'bad is out: only 4 of 20 attempts succeeded.',
    ])
  })

  it('recommends nothing rather than what breaks a limit or cannot be held to it', () => {
    const wish = { prefer: 'speed', maxCostPerImage: 0.005 } as const
    const answer = recommend([candidate('dear'), candidate('unpriced', { pricePerSecond: null })], wish, stated)
    expect(answer).toMatchObject({ deployment: null, basis: null, assumptions: [] })
    expect(answer.reasons).toEqual([
      'dear: an image costs 0.065 USD (declared), over the limit of 0.005 USD.',
      'unpriced: what an image costs there is not known, so the limit cannot be checked.',
    ])
    const unknown = recommend([candidate('a')], { prefer: 'cost', maxSeconds: 10 }, null)
    expect(unknown.reasons).toEqual(['a: how long it takes is not known, so the limit cannot be checked.'])
  })

  it('takes the cheaper of exact equals and says so, but nothing slower for being cheaper', () => {
    const answer = recommend(
      [
        candidate('dear', { measured: measured(8, { cost: 0.02 }) }),
        candidate('unpriced', { measured: measured(8, { cost: null }), pricePerSecond: null }),
        candidate('cheap', { measured: measured(8, { cost: 0.01 }) }),
      ],
      { prefer: 'reliability' },
      stated,
    )
    expect(answer.ranking.map(({ name }) => name)).toEqual(['cheap', 'dear', 'unpriced'])
    expect(answer.reasons.at(-1)).toBe(
      'Of equals the cheaper one: cheap with 0.01 USD for each finished image, measured.',
    )
    const quick = candidate('quick', { measured: measured(8, { p50: 9.9, cost: 0.02 }) })
    const slow = candidate('slow', { measured: measured(8, { p50: 10, cost: 0.01 }) })
    const bySpeed = recommend([slow, quick], { prefer: 'speed' }, stated)
    expect(bySpeed.deployment).toBe('quick')
    expect(bySpeed.reasons).toHaveLength(2)
  })

  it('decides between equals that cost the same by reliability, then by the given order', () => {
    const answer = recommend(
      [
        candidate('first', { measured: measured(8) }),
        candidate('second', { measured: measured(50) }),
        candidate('third', { measured: measured(50) }),
      ],
      { prefer: 'cost' },
      stated,
    )
    expect(answer.ranking.map(({ name }) => name)).toEqual(['second', 'third', 'first'])
  })

  it('recommends nothing of nothing', () => {
    expect(recommend([], { prefer: 'cost' }, stated)).toEqual({
      deployment: null,
      basis: null,
      reasons: [],
      assumptions: [],
      ranking: [],
    })
  })
})
