import { isTerminal, type PredictionRecord, type StoredOutput } from './prediction.ts'
import { quantile, speaksFor } from './statistics.ts'

/** One prediction and its shadow run, both ended. */
export interface Pair {
  readonly prediction: string
  readonly shadow: string
  readonly from: PairSide
  readonly to: PairSide
  /** Where both have an output: what differs, a phrase each; null where there is nothing to compare. */
  readonly differences: readonly string[] | null
}

export interface PairSide {
  readonly succeeded: boolean
  /** From the start that was sent to the verified output, of the attempt that won. */
  readonly seconds: number | null
  /** USD of all attempts there; null while nobody knows. */
  readonly cost: number | null
}

/** What the pairs of a migration say together. */
export interface PairSummary {
  readonly compared: number
  readonly both: number
  readonly onlyFrom: number
  readonly onlyTo: number
  readonly neither: number
  /** Of those where both succeeded. */
  readonly differ: number
  /** Medians, of pairs where both succeeded. */
  readonly seconds: { readonly from: number; readonly to: number } | null
  /** USD of all pairs together; null where none is known. */
  readonly cost: { readonly from: number | null; readonly to: number | null }
}

/** A count may differ by this share, a side of the box and a length in bytes by that one, before outputs are called different. */
const countTolerance = 0.05
const sizeTolerance = 0.25

/**
 * Compares a prediction with its shadow run. Null while either is open, and where they cannot be compared: one was
 * cancelled, ended for a reason that says nothing about a deployment (a bad input, a spent budget), or never was at its
 * own (no free place). What the original got elsewhere after a try at `from` is a failure of `from`.
 */
export function comparePair(
  original: PredictionRecord,
  shadow: PredictionRecord,
  { from, to }: { readonly from: string; readonly to: string },
): Pair | null {
  if (!isComparable(original) || !isComparable(shadow)) return null
  const wasThere = ({ attempts }: PredictionRecord, name: string) =>
    attempts.some(({ deployment }) => deployment === name)
  if (!wasThere(original, from) || !wasThere(shadow, to)) return null
  const [old, young] = [sideOf(original, from), sideOf(shadow, to)]
  const outputs = old.succeeded && young.succeeded ? [original.output, shadow.output] : []
  const [a, b] = outputs
  return {
    prediction: original.id,
    shadow: shadow.id,
    from: old,
    to: young,
    differences: a == null || b == null ? null : compareOutputs(a, b),
  }
}

function isComparable({ status, failure }: PredictionRecord): boolean {
  if (!isTerminal(status)) return false
  return (
    status === 'succeeded' || (status === 'failed' && speaksFor({ state: 'failed', failure: failure?.code ?? null }))
  )
}

function sideOf({ attempts }: PredictionRecord, deployment: string): PairSide {
  const own = attempts.filter(attempt => attempt.deployment === deployment)
  const winner = own.find(({ state }) => state === 'won')
  const costs = own.flatMap(({ cost }) => cost?.amount ?? [])
  return {
    succeeded: winner !== undefined,
    seconds:
      winner?.submittedAt == null || winner.endedAt === null ? null : (winner.endedAt - winner.submittedAt) / 1000,
    cost: costs.length === 0 ? null : costs.reduce((sum, amount) => sum + amount, 0),
  }
}

/**
 * What differs between two verified outputs by what their checks found: `count` and `bounds` where both have them, else
 * their length in bytes. Empty where they are alike. The bytes themselves are not compared: no two runs on GPUs give the same.
 */
export function compareOutputs(
  a: Pick<StoredOutput, 'facts' | 'bytes'>,
  b: Pick<StoredOutput, 'facts' | 'bytes'>,
): string[] {
  const differences: string[] = []
  const [countA, countB] = [a.facts.count, b.facts.count]
  const hasCounts = typeof countA === 'number' && typeof countB === 'number'
  if (hasCounts) {
    if (isApart(countA, countB, countTolerance)) differences.push(`${countA} splats against ${countB}`)
  } else if (isApart(a.bytes, b.bytes, sizeTolerance)) differences.push(`${a.bytes} bytes against ${b.bytes}`)
  const [boxA, boxB] = [sidesOf(a.facts.bounds), sidesOf(b.facts.bounds)]
  if (boxA !== null && boxB !== null) {
    for (const [axis, side] of boxA.entries()) {
      const other = boxB[axis] ?? 0
      if (isApart(side, other, sizeTolerance))
        differences.push(`${'xyz'[axis] ?? axis}: ${round(side)} wide against ${round(other)}`)
    }
  }
  return differences
}

function isApart(a: number, b: number, tolerance: number): boolean {
  return Math.abs(a - b) > tolerance * Math.max(Math.abs(a), Math.abs(b))
}

function sidesOf(bounds: unknown): number[] | null {
  if (typeof bounds !== 'object' || bounds === null || !('min' in bounds) || !('max' in bounds)) return null
  const { min, max } = bounds
  if (!Array.isArray(min) || !Array.isArray(max)) return null
  return max.map((high, axis) => Number(high) - Number(min[axis]))
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}

export function summarizePairs(pairs: readonly Pair[]): PairSummary {
  const both = pairs.filter(({ from, to }) => from.succeeded && to.succeeded)
  const count = (old: boolean, young: boolean) =>
    pairs.filter(({ from, to }) => from.succeeded === old && to.succeeded === young).length
  const timed = both.flatMap(({ from, to }) =>
    from.seconds === null || to.seconds === null ? [] : { from: from.seconds, to: to.seconds },
  )
  const median = (side: 'from' | 'to') =>
    quantile(
      timed.map(pair => pair[side]),
      0.5,
    )
  return {
    compared: pairs.length,
    both: both.length,
    onlyFrom: count(true, false),
    onlyTo: count(false, true),
    neither: count(false, false),
    differ: pairs.filter(({ differences }) => differences !== null && differences.length > 0).length,
    seconds: timed.length === 0 ? null : { from: median('from'), to: median('to') },
    cost: { from: sumOf(pairs.map(({ from }) => from.cost)), to: sumOf(pairs.map(({ to }) => to.cost)) },
  }
}

function sumOf(costs: readonly (number | null)[]): number | null {
  const known = costs.filter(cost => cost !== null)
  return known.length === 0 ? null : known.reduce((sum, cost) => sum + cost, 0)
}
