import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  actOnMigration,
  describeBeginning,
  drawMigration,
  figuresSince,
  followVerdict,
  judgeMigration,
  type MigrationPlan,
  type MigrationState,
  type MigrationVerdict,
  migrationActions,
  percentOf,
  startMigration,
} from './migration.ts'
import type { StageFacts } from './migration-limits.ts'
import type { Pair } from './migration-pairs.ts'
import type { AttemptFact } from './statistics.ts'

const from = 'sharp@modal'
const to = 'sharp@replicate'
const began = 1_000_000

const plan: MigrationPlan = {
  from,
  to,
  steps: [5, 25, 50, 100],
  shadow: { share: 0.1, runs: 10 },
  limits: { success: 'no-worse', slower: null, dearer: null, seconds: null, cost: null, differ: 0 },
  samples: 20,
}
const atStep: MigrationState = { ...startMigration(plan, began, 'Begun.'), stage: { name: 'step', index: 1 } }
const inShadow = startMigration(plan, began, 'Begun.')

function won(deployment: string, over: Partial<AttemptFact> = {}): AttemptFact {
  const times = { plannedAt: began, submittedAt: began, bootingAt: null, runningAt: began, collectingAt: null }
  return {
    ...{ deployment, state: 'won', failure: null, ...times, endedAt: began + 10_000 },
    ...{ restarts: 0, closedUntil: null, cost: 0.01 },
    ...over,
  }
}
const lost = (deployment: string, over: Partial<AttemptFact> = {}) =>
  won(deployment, { state: 'failed', failure: 'stalled', ...over })
const open = (over: Partial<AttemptFact> = {}) => won(to, { state: 'running', endedAt: null, ...over })
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

function pair(over: Partial<Pair> = {}): Pair {
  const side = { succeeded: true, seconds: 10, cost: 0.01 }
  return { prediction: 'p', shadow: 's', from: side, to: side, differences: [], ...over }
}

function judge(
  facts: Partial<StageFacts>,
  { limits = {}, ...over }: Partial<Omit<MigrationPlan, 'limits'>> & { limits?: Partial<MigrationPlan['limits']> } = {},
  state: MigrationState = atStep,
): MigrationVerdict {
  const changed = { ...plan, ...over, limits: { ...plan.limits, ...limits } }
  return judgeMigration({ ...state, plan: changed }, { from: times(100, won(from)), to: [], pairs: [], ...facts })
}

describe('a step', () => {
  it.each<[string, Partial<StageFacts>, Parameters<typeof judge>[1], MigrationVerdict['kind'], RegExp]>([
    [
      'waits for its samples',
      { to: times(19, won(to)) },
      {},
      'stay',
      /^1 more attempts at sharp@replicate \(19 of 20\)$/,
    ],
    [
      'goes up with them',
      { to: times(20, won(to)) },
      {},
      'up',
      /^20 of 20 attempts at sharp@replicate succeeded, the old one has 100 of 100, at least 96.3 %\.$/,
    ],
    [
      'counts nothing from before it began',
      { to: times(20, won(to, { plannedAt: began - 1 })) },
      {},
      'stay',
      /0 of 20/,
    ],
    [
      'counts nothing that came after one that is still open',
      { to: [...times(30, won(to, { plannedAt: began + 5 })), open()] },
      {},
      'stay',
      /0 of 20, those behind one that is still open not counted/,
    ],
    [
      'counts what came before one that is still open',
      { to: [open({ plannedAt: began + 5 }), ...times(20, won(to))] },
      {},
      'up',
      /20 of 20/,
    ],
    [
      'does not count what only warmed it',
      { to: [...times(19, won(to)), ...times(9, lost(to, { warm: true })), won(to, { warm: true })] },
      {},
      'stay',
      /19 of 20/,
    ],
    [
      'does not count what a caller cancelled',
      { to: [...times(19, won(to)), lost(to, { state: 'canceled', failure: null })] },
      {},
      'stay',
      /19 of 20/,
    ],
    [
      'waits where it is a little worse',
      { to: [...times(20, won(to)), lost(to)] },
      {},
      'stay',
      /^more attempts .* succeed: 20 of 21 are 95.2 %, and the old one has 100 of 100/,
    ],
    [
      'goes back where it is surely worse',
      { to: [...times(17, won(to)), ...times(3, lost(to))] },
      {},
      'back',
      /^17 of 20 attempts .* at most 94.8 %/,
    ],
    ['goes back at the third of three failures', { to: times(3, lost(to)) }, {}, 'back', /^0 of 3/],
    [
      'does not go back by what failed before it began',
      { to: times(3, lost(to, { plannedAt: began - 1 })) },
      {},
      'stay',
      /0 of 20/,
    ],
    ['does not go back at the second', { to: times(2, lost(to)) }, {}, 'stay', /2 of 20/],
    [
      'goes back at the first refusal of the account',
      { to: [lost(to, { failure: 'auth_rejected' })] },
      {},
      'back',
      /auth_rejected/,
    ],
    [
      'goes back at the first word that it is not there',
      { to: [lost(to, { failure: 'deployment_missing' })] },
      {},
      'back',
      /deployment_missing/,
    ],
    [
      'takes a new one that fails as often as the old one',
      {
        from: [...times(50, won(from)), ...times(50, lost(from))],
        to: [...times(10, won(to)), ...times(10, lost(to))],
      },
      {},
      'up',
      /10 of 20/,
    ],
    [
      'asks for 80 % where nothing is known of the old one',
      { from: [], to: [...times(15, won(to)), ...times(5, lost(to))] },
      {},
      'stay',
      /15 of 20 are 75 %, and 80 % are wanted/,
    ],
    ['takes 80 % there', { from: [], to: [...times(16, won(to)), ...times(4, lost(to))] }, {}, 'up', /16 of 20/],
    [
      'holds a stated share against the lower end of the interval',
      { to: times(20, won(to)) },
      { limits: { success: 0.85 } },
      'stay',
      /20 of 20 are at least 83.9 %, and the limit is 85 %/,
    ],
    [
      'takes a stated share once it is sure',
      { to: times(30, won(to)) },
      { limits: { success: 0.85 } },
      'up',
      /the limit is 85 %/,
    ],
    [
      'goes back below a stated share',
      { to: [...times(2, won(to)), ...times(4, lost(to))] },
      { limits: { success: 0.85 } },
      'back',
      /the limit is 85 %/,
    ],
    [
      'takes times within the limit',
      { to: times(20, won(to, { endedAt: began + 20_000 })) },
      { limits: { slower: 2 } },
      'up',
      /half of them within 20 s, 2 times 10 s at sharp@modal/,
    ],
    [
      'goes back as soon as the median must be over it',
      { to: times(11, won(to, { endedAt: began + 20_001 })) },
      { limits: { slower: 2 } },
      'back',
      /^11 of 11 results .* took longer than 20 s/,
    ],
    [
      'does not before',
      { to: times(10, won(to, { endedAt: began + 20_001 })) },
      { limits: { slower: 2 } },
      'stay',
      /10 of 20/,
    ],
    [
      'lets one of twenty be slower than 95 % may',
      { to: [...times(19, won(to)), won(to, { endedAt: began + 99_000 })] },
      { limits: { seconds: 30 } },
      'up',
      /95 % within 30 s/,
    ],
    [
      'but not two',
      { to: times(2, won(to, { endedAt: began + 99_000 })) },
      { limits: { seconds: 30 } },
      'back',
      /2 of 2 results/,
    ],
    [
      'cannot compare times with nothing, and says so',
      { from: [], to: times(20, won(to)) },
      { limits: { slower: 2 } },
      'stay',
      /^a finished image at sharp@modal to compare times with$/,
    ],
    [
      'takes a cost within the limit',
      { to: times(20, won(to, { cost: 0.015 })) },
      { limits: { dearer: 1.5 } },
      'up',
      /0.015 USD for each image, at most 0.015 USD, 1.5 times 0.01 USD/,
    ],
    [
      'goes back as soon as too much is spent',
      { to: times(11, won(to, { cost: 0.03 })) },
      { limits: { dearer: 1.5 } },
      'back',
      /^A finished image at sharp@replicate costs 0.03 USD \(0.33 USD for 11\), and at least 0.0165 USD when there are 20; the limit for each image is 0.015 USD, 1.5 times 0.01 USD at sharp@modal\.$/,
    ],
    [
      'does not go back while all others may cost nothing',
      { to: times(1, won(to, { cost: 0.3 })) },
      { limits: { dearer: 1.5 } },
      'stay',
      /1 of 20/,
    ],
    [
      'counts what failures cost',
      { to: [...times(20, won(to)), ...times(1, lost(to, { cost: 0.2 }))] },
      { limits: { cost: 0.015, success: 0.5 } },
      'back',
      /costs 0.02 USD \(0.4 USD for 20\); the limit for each image is 0.015 USD\.$/,
    ],
    [
      'counts what was spent on nothing',
      { to: times(2, lost(to, { cost: 0.2 })) },
      { limits: { cost: 0.015 } },
      'back',
      /^0.4 USD were spent at sharp@replicate on no finished image, and at least 0.02 USD when there are 20; the limit/,
    ],
    [
      'cannot judge a cost that nobody knows, and says so',
      { to: times(20, won(to, { cost: null })) },
      { limits: { cost: 1 } },
      'stay',
      /^what an image costs at sharp@replicate$/,
    ],
    [
      'does not believe a price that leaves out what many attempts cost',
      { to: [...times(20, won(to)), ...times(3, won(to, { cost: null }))] },
      { limits: { cost: 1 } },
      'stay',
      /^what 3 attempts at sharp@replicate cost/,
    ],
    [
      'believes one that leaves out a few',
      { to: [...times(20, won(to)), ...times(2, won(to, { cost: null }))] },
      { limits: { cost: 1 } },
      'up',
      /USD for each image, at most 1 USD/,
    ],
    [
      'has nothing to do with pairs',
      { to: times(20, won(to)), pairs: [pair({ differences: ['x'] })] },
      {},
      'up',
      /20 of 20/,
    ],
  ])('%s', (_, facts, over, kind, words) => {
    const verdict = judge(facts, over)
    expect([verdict.kind, verdict.kind === 'stay' ? verdict.missing.join('; ') : verdict.why]).toEqual([
      kind,
      expect.stringMatching(words),
    ])
  })
})

describe('the shadow stage', () => {
  it('waits for its pairs and its attempts, which are as many', () => {
    expect(judge({ to: times(9, won(to)), pairs: times(9, pair()) }, {}, inShadow)).toEqual({
      kind: 'stay',
      missing: ['1 more attempts at sharp@replicate (9 of 10)', '1 more compared pairs (9 of 10)'],
    })
  })
  it('ends with them, and says how they went', () => {
    const pairs = [
      ...times(9, pair()),
      pair({ from: { succeeded: false, seconds: null, cost: null }, differences: null }),
    ]
    expect(judge({ to: times(10, won(to)), pairs }, {}, inShadow)).toMatchObject({
      kind: 'up',
      why: expect.stringContaining('10 pairs: both 9, only old 0, only new 1, 0 differ'),
    })
  })
  it('goes back at the first pair that differs, and takes as many as may differ', () => {
    const pairs = [pair({ prediction: 'p7', differences: ['100 splats against 50'] })]
    expect(judge({ pairs }, {}, inShadow)).toEqual({
      kind: 'back',
      why: '1 of 1 pairs of outputs differ (100 splats against 50; prediction p7); the limit is 0 %.',
    })
    expect(judge({ pairs }, { limits: { differ: 0.1 } }, inShadow).kind).toBe('stay')
  })
  it('is left out where no runs are wanted', () => {
    expect(startMigration({ ...plan, shadow: { share: 0.1, runs: 0 } }, 0, '').stage).toEqual({
      name: 'step',
      index: 0,
    })
  })
})

it('goes up one step after the other, to the end, and keeps the account', () => {
  let state = inShadow
  const seen = [percentOf(state)]
  for (let now = began + 1; state.stage.name !== 'done'; now++) {
    state = followVerdict(state, { kind: 'up', why: `At ${now - began}.` }, now)
    seen.push(percentOf(state))
  }
  expect(seen).toEqual([0, 5, 25, 50, 100, 100])
  expect(state.history.map(({ what, why }) => `${what}: ${why}`)).toEqual([
    'shadow: Begun.',
    ...['5 %: At 1.', '25 %: At 2.', '50 %: At 3.', '100 %: At 4.', 'done: At 5.'],
  ])
  expect(state.since).toBe(began + 5)
})

describe('a person', () => {
  const rolledBack = followVerdict(atStep, { kind: 'back', why: 'Bad.' }, began + 1)
  const done: MigrationState = { ...atStep, stage: { name: 'done' } }
  const after = (state: MigrationState, action: (typeof migrationActions)[number]) => {
    const next = actOnMigration(state, action, began + 9)
    return typeof next === 'string' ? next : [next.stage.name, percentOf(next), next.paused]
  }
  const paused = { ...atStep, paused: true }
  it.each([
    ['pause', atStep, ['step', 25, true]],
    ['pause', paused, 'The migration is paused already; there is nothing to pause.'],
    ['pause', done, 'The migration is done; there is nothing to pause.'],
    ['resume', paused, ['step', 25, false]],
    ['resume', atStep, 'The migration stands at 25 % and is not paused.'],
    ['resume', rolledBack, ['shadow', 0, false]],
    ['advance', atStep, ['step', 50, false]],
    ['advance', paused, ['step', 50, true]],
    ['advance', inShadow, ['step', 5, false]],
    ['advance', done, 'The migration is done: there is no next step.'],
    ['advance', rolledBack, 'The migration is rolled back: there is no next step.'],
    ['rollback', atStep, ['rolled_back', 0, false]],
    ['rollback', done, ['rolled_back', 0, false]],
    ['rollback', rolledBack, 'The migration is rolled back already.'],
  ] as const)('%s', (action, state, expected) => expect(after(state, action)).toEqual(expected))

  it('is told what resuming after a roll-back does, before and after', () => {
    const without = { ...rolledBack, plan: { ...plan, shadow: { share: 0.1, runs: 0 } } }
    for (const [state, words] of [
      [rolledBack, 'in its shadow stage: 10 compared pairs are wanted, and no prediction begins at sharp@replicate'],
      [without, '5 % of the predictions begin at sharp@replicate'],
    ] as const) {
      expect(describeBeginning(state.plan)).toBe(words)
      expect(actOnMigration(state, 'resume', began + 9)).toMatchObject({
        since: began + 9,
        history: expect.arrayContaining([
          expect.objectContaining({ why: `A person resumed it after the roll-back: it begins anew, ${words}.` }),
        ]),
      })
    }
  })

  it('holds what is paused: nothing is judged, be it good or bad', () => {
    for (const to of [times(20, won('sharp@replicate')), times(20, lost('sharp@replicate'))])
      expect(judge({ to }, {}, paused)).toEqual({ kind: 'stay', missing: [] })
  })
})

describe('the figures of the new one', () => {
  const acted = (state: MigrationState, action: 'pause' | 'rollback', at: number) =>
    actOnMigration(state, action, at) as MigrationState
  it('are those since the stage began, and after a roll-back those since the one that led there began', () => {
    const step = followVerdict(inShadow, { kind: 'up', why: 'Good.' }, began + 10)
    expect([inShadow, step].map(figuresSince)).toEqual([began, began + 10])
    expect(figuresSince(followVerdict(step, { kind: 'back', why: 'Bad.' }, began + 20))).toBe(began + 10)
    expect(figuresSince(acted(acted(step, 'pause', began + 15), 'rollback', began + 20))).toBe(began + 10)
    expect(figuresSince(acted(inShadow, 'rollback', began + 20))).toBe(began)
  })
})

describe('the draw', () => {
  const id = fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz234567'), minLength: 26, maxLength: 26 })
  const at = (index: number): MigrationState => ({ ...atStep, stage: { name: 'step', index } })

  it('is none at 0 % and all at 100 %, and whoever is drawn at a step is at the next', () => {
    fc.assert(
      fc.property(id, id => {
        const drawn = [inShadow, at(0), at(1), at(2), at(3)].map(state => drawMigration(state, id).to)
        expect([drawn[0], drawn[4]]).toEqual([false, true])
        expect(drawn).toEqual(drawn.toSorted((a, b) => Number(a) - Number(b)))
      }),
    )
  })
  it('is the share of the step, near enough', () => {
    const ids = Array.from({ length: 20_000 }, (_, index) => `prediction${index}`)
    const share = (index: number) => ids.filter(id => drawMigration(at(index), id).to).length / ids.length
    expect(Math.abs(share(0) - 0.05)).toBeLessThan(0.006)
    expect(Math.abs(share(1) - 0.25)).toBeLessThan(0.012)
  })
  it('is named in the account', () => {
    const words = ['a', 'b', 'c', 'd', 'e', 'f'].map(id => drawMigration(at(2), id).why)
    expect(new Set(words)).toEqual(
      new Set([
        'Drawn by the migration to sharp@replicate: 50 %.',
        'Drawn by the migration to sharp@replicate: 50 % stay at sharp@modal.',
      ]),
    )
    expect(drawMigration(inShadow, 'a').why).toBe(
      'The migration to sharp@replicate is in its shadow stage: sharp@modal comes first.',
    )
  })
})

const factArbitrary = fc
  .record({
    end: fc.constantFrom('won', 'won', 'won', 'failed', 'open'),
    planned: fc.integer({ min: -5, max: 100 }),
    took: fc.integer({ min: 1, max: 60_000 }),
    cost: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
  })
  .map(({ end, planned, took, cost }): AttemptFact => {
    const plannedAt = began + planned
    const over = { plannedAt, submittedAt: plannedAt, endedAt: plannedAt + took, cost }
    if (end === 'open') return open({ ...over, endedAt: null })
    return end === 'won' ? won(to, over) : lost(to, over)
  })
const factsArbitrary = fc.record({
  from: fc.array(factArbitrary, { maxLength: 60 }),
  to: fc.array(factArbitrary, { maxLength: 60 }),
  pairs: fc
    .array(fc.boolean(), { maxLength: 15 })
    .map(list => list.map(differs => pair({ differences: differs ? ['x'] : [] }))),
})
const limitsArbitrary = fc.record({
  success: fc.constantFrom<MigrationPlan['limits']['success'][]>('no-worse', 0.5, 0.9),
  slower: fc.option(fc.double({ min: 0.1, max: 4, noNaN: true })),
  dearer: fc.option(fc.double({ min: 0.1, max: 4, noNaN: true })),
  seconds: fc.option(fc.double({ min: 1, max: 60, noNaN: true })),
  cost: fc.option(fc.double({ min: 0.01, max: 1, noNaN: true })),
  differ: fc.constantFrom(0, 0.5, 1),
})

it('whatever happens: no step is skipped, none is taken on a broken limit, back is final until a person resumes', () => {
  const event = fc.oneof(
    fc.record({ facts: factsArbitrary, action: fc.constant(null) }),
    fc.record({ facts: factsArbitrary, action: fc.constantFrom(null, ...migrationActions) }),
  )
  fc.assert(
    fc.property(
      limitsArbitrary,
      fc.integer({ min: 1, max: 20 }),
      fc.array(event, { maxLength: 30 }),
      (limits, samples, events) => {
        let state = startMigration({ ...plan, limits, samples, shadow: { share: 1, runs: 5 } }, began, '')
        let now = began
        for (const { facts, action } of events) {
          const before = state
          if (action === null) {
            const verdict = judgeMigration(state, facts)
            expect(judgeMigration(structuredClone(state), structuredClone(facts))).toEqual(verdict)
            state = followVerdict(state, verdict, ++now)
            if (before.stage.name === 'rolled_back' || before.paused) expect(state).toBe(before)
            if (verdict.kind === 'up') {
              const counted = facts.to.filter(({ plannedAt, endedAt }) => plannedAt >= before.since && endedAt !== null)
              expect(counted.length).toBeGreaterThanOrEqual(before.stage.name === 'shadow' ? 5 : samples)
              if (limits.cost !== null) expect(counted.every(({ cost }) => cost === null)).toBe(false)
            }
          } else {
            const next = actOnMigration(state, action, ++now)
            if (typeof next !== 'string') state = next
            if (before.stage.name === 'rolled_back' && action !== 'resume') expect(state).toBe(before)
          }
          const place = ({ stage }: MigrationState) =>
            ({ shadow: -1, step: stage.name === 'step' ? stage.index : 0, done: 4, rolled_back: -2 })[stage.name]
          if (before.stage.name !== 'rolled_back' && state.stage.name !== 'rolled_back')
            expect(place(state) - place(before)).toBeOneOf([0, 1])
          if (state.stage !== before.stage) expect(state.history.at(-1)?.at).toBe(now)
          expect(state.history.length).toBeLessThanOrEqual(20)
        }
      },
    ),
    { numRuns: 300 },
  )
})
