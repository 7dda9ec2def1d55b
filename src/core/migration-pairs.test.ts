import { expect, it } from 'vitest'
import { sampleAttempt, samplePrediction } from '../testing/sample-records.ts'
import { createFailure } from './failure.ts'
import { compareOutputs, comparePair, summarizePairs } from './migration-pairs.ts'
import type { Attempt, PredictionRecord, StoredOutput } from './prediction.ts'

const way = { from: 'sharp@modal', to: 'sharp@replicate' }

function output(count: number, width = 2, bytes = 1_000): StoredOutput {
  const facts = { count, bounds: { min: [0, 0, 0], max: [width, 1, 1] } }
  return { key: 'k', name: 'scene.ply', mediaType: 'application/octet-stream', bytes, sha256: '', facts }
}

function attempt(deployment: string, over: Partial<Attempt> = {}): Attempt {
  const cost = { amount: 0.01, currency: 'USD', estimated: false } as const
  return sampleAttempt({
    id: `attempt at ${deployment}`,
    deployment,
    state: 'won',
    endedAt: 11_000,
    cost,
    ...over,
  })
}

function ended(id: string, over: Partial<PredictionRecord>): PredictionRecord {
  return samplePrediction({ id, status: 'succeeded', output: output(100), ...over })
}
const original = ended('p', { attempts: [attempt(way.from)] })
const shadow = ended('s', { attempts: [attempt(way.to, { endedAt: 6_000 })] })
const failed = (code: Parameters<typeof createFailure>[0]) =>
  ({ status: 'failed', output: null, failure: createFailure(code, 'No.') }) as const

it('says how both did, and that their outputs are alike', () => {
  expect(comparePair(original, shadow, way)).toEqual({
    prediction: 'p',
    shadow: 's',
    from: { succeeded: true, seconds: 10, cost: 0.01 },
    to: { succeeded: true, seconds: 5, cost: 0.01 },
    differences: [],
  })
})

it.each<[string, PredictionRecord, PredictionRecord]>([
  ['the original is open', { ...original, status: 'processing' }, shadow],
  ['the shadow is open', original, { ...shadow, status: 'starting' }],
  ['a caller cancelled it', { ...original, status: 'canceled' }, shadow],
  ['the money for the shadow was gone', original, { ...shadow, ...failed('budget_exceeded') }],
  ['the old one had no place for the original', { ...original, attempts: [attempt(way.to)] }, shadow],
  ['the input was bad', { ...original, ...failed('input_invalid') }, { ...shadow, ...failed('input_invalid') }],
])('compares nothing where %s', (_, a, b) => expect(comparePair(a, b, way)).toBe(null))

it('takes what the original got by failover for a failure of the old one', () => {
  const saved = ended('p', { attempts: [attempt(way.from, { state: 'failed' }), attempt(way.to)] })
  const pair = comparePair(saved, shadow, way)
  expect(pair).toMatchObject({
    from: { succeeded: false, seconds: null, cost: 0.01 },
    to: { succeeded: true },
    differences: null,
  })
})

it.each([
  ['the same', output(100), output(100), []],
  ['a few splats less', output(100), output(96), []],
  ['many splats less', output(100), output(94), ['100 splats against 94']],
  ['a narrower scene', output(100, 2), output(100, 1.4), ['x: 2 wide against 1.4']],
  ['other lengths of the same splats', output(100, 2, 1_000), output(100, 2, 9_000), []],
  ['files without counts of about one length', { facts: {}, bytes: 100 }, { facts: {}, bytes: 80 }, []],
  [
    'files without counts of other lengths',
    { facts: {}, bytes: 100 },
    { facts: {}, bytes: 74 },
    ['100 bytes against 74'],
  ],
  [
    'bounds of a form that nobody knows',
    { facts: { bounds: [1] }, bytes: 1 },
    { facts: { bounds: { min: 1, max: 2 } }, bytes: 1 },
    [],
  ],
])('tells by count and bounds whether outputs differ: %s', (_, a, b, expected) => {
  expect(compareOutputs(a, b)).toEqual(expected)
})

it('sums up what pairs say together', () => {
  const pairs = [
    comparePair(original, shadow, way),
    comparePair(original, { ...shadow, output: output(10) }, way),
    comparePair(
      original,
      { ...shadow, ...failed('stalled'), attempts: [attempt(way.to, { state: 'failed', cost: null })] },
      way,
    ),
    comparePair({ ...original, ...failed('stalled'), attempts: [attempt(way.from, { state: 'failed' })] }, shadow, way),
  ].filter(pair => pair !== null)
  expect(summarizePairs(pairs)).toEqual({
    ...{ compared: 4, both: 2, onlyFrom: 1, onlyTo: 1, neither: 0, differ: 1 },
    seconds: { from: 10, to: 5 },
    cost: { from: 0.04, to: 0.03 },
  })
  expect(summarizePairs([])).toMatchObject({ compared: 0, seconds: null, cost: { from: null, to: null } })
})
