import type { Breaker } from './breaker.ts'
import { enoughSamples, type Measured } from './statistics.ts'

/** What somebody wants of a deployment. Limits that are not given do not limit. */
export interface Wish {
  readonly prefer: 'cost' | 'speed' | 'reliability'
  /** USD for each finished image. */
  readonly maxCostPerImage?: number
  /** Seconds in which nearly every result is there: the 95th percentile where it is measured. */
  readonly maxSeconds?: number
}

/** What a run takes where nobody has measured it here, in seconds, as somebody else says it. */
export interface StatedTimes {
  readonly run: number
  /** From the request to a worker that is ready, where none was. */
  readonly coldStart: number
  /** Who says so, with an address. */
  readonly source: string
  /** `YYYY-MM-DD`. */
  readonly asOf: string
}

/** One deployment that could be recommended. */
export interface Candidate {
  readonly name: string
  readonly measured: Measured
  readonly breaker: Breaker
  /** USD; null when unknown. */
  readonly pricePerSecond: number | null
  /** When its price list was last compared with the vendor's page, `YYYY-MM-DD`; null when the price is the config's own. */
  readonly pricesAsOf: string | null
}

/** A number, and whether traffic showed it here or somebody declared it. */
export interface Figure {
  readonly value: number
  readonly basis: 'measured' | 'declared'
}

/** A candidate as the wish sees it. */
export interface Judged {
  readonly name: string
  /** USD for each finished image. */
  readonly cost: Figure | null
  /** To a result: the median where measured, else a cold start and a run. */
  readonly seconds: Figure | null
  /** The same for the slow ones: the 95th percentile where measured. */
  readonly slowSeconds: Figure | null
  /** The least share of attempts that succeeds, by the lower end of its interval; null before it is measured. */
  readonly reliability: Figure | null
  /** Why it is out, in a sentence; null when it is not. */
  readonly excluded: string | null
}

export interface Recommendation {
  /** Null when every candidate is out. */
  readonly deployment: string | null
  /** What the figure that decided is; null where nothing decided but the order given. */
  readonly basis: 'measured' | 'declared' | null
  /** Sentences with the numbers that decided. */
  readonly reasons: readonly string[]
  /** What had to be taken on trust, dated. */
  readonly assumptions: readonly string[]
  /** Best first; those that are out follow. */
  readonly ranking: readonly Judged[]
}

/** Anything less than this share of successes, surely, is not worth recommending. */
const worthwhile = 0.5

/**
 * Recommends one of a model's deployments for a wish. Measured figures count from `enoughSamples` attempts on, else
 * declared ones: the price list times a cold start and a run as stated, which are on the dear and slow side so that the
 * unknown does not beat the known by promise alone. Out are deployments whose breaker is open, that fail more often than
 * not, or that break a limit or cannot be checked against it. Of exact equals the cheaper comes first, then the more
 * reliable; else they keep the order in which they were given.
 */
export function recommend(candidates: readonly Candidate[], wish: Wish, stated: StatedTimes | null): Recommendation {
  const judged = candidates.map(candidate => judge(candidate, wish, stated))
  const ranking = judged.toSorted((a, b) => compare(a, b, wish))
  const best = ranking[0]
  if (best === undefined || best.excluded !== null) {
    const reasons = ranking.map(({ name, excluded }) => `${name}: ${excluded}`)
    return { deployment: null, basis: null, reasons, assumptions: [], ranking }
  }
  return {
    deployment: best.name,
    basis: figureFor(best, wish)?.basis ?? null,
    reasons: explain(best, ranking, wish),
    assumptions: listAssumptions(ranking, candidates, wish, stated),
    ranking,
  }
}

function judge(candidate: Candidate, wish: Wish, stated: StatedTimes | null): Judged {
  const { name, measured, pricePerSecond } = candidate
  const isKnown = measured.samples >= enoughSamples
  const total = isKnown ? measured.total : null
  const declaredSeconds = stated === null ? null : stated.coldStart + stated.run
  const declared = (value: number | null): Figure | null => (value === null ? null : { value, basis: 'declared' })
  const knownCost = isKnown ? measured.costPerSuccess : null
  const figures = {
    cost:
      knownCost !== null
        ? ({ value: knownCost, basis: 'measured' } as const)
        : declared(declaredCost(pricePerSecond, declaredSeconds)),
    seconds: total !== null ? ({ value: total.p50 / 1000, basis: 'measured' } as const) : declared(declaredSeconds),
    slowSeconds: total !== null ? ({ value: total.p95 / 1000, basis: 'measured' } as const) : declared(declaredSeconds),
    reliability:
      isKnown && measured.success !== null ? ({ value: measured.success.low, basis: 'measured' } as const) : null,
  }
  return { name, ...figures, excluded: whyOut(candidate, figures, wish) }
}

function declaredCost(pricePerSecond: number | null, seconds: number | null): number | null {
  // Free of charge is free however long it takes.
  if (pricePerSecond === 0) return 0
  return pricePerSecond === null || seconds === null ? null : pricePerSecond * seconds
}

function whyOut(
  { breaker, measured }: Candidate,
  { cost, slowSeconds }: Pick<Judged, 'cost' | 'slowSeconds'>,
  { maxCostPerImage, maxSeconds }: Wish,
): string | null {
  if (breaker.state === 'open') return `it is not used just now. ${breaker.why}`
  if (measured.samples >= enoughSamples && measured.success !== null && measured.success.high < worthwhile)
    return `only ${measured.won} of ${measured.samples} attempts succeeded.`
  if (maxCostPerImage !== undefined) {
    if (cost === null) return 'what an image costs there is not known, so the limit cannot be checked.'
    if (cost.value > maxCostPerImage)
      return `an image costs ${usd(cost.value)} (${cost.basis}), over the limit of ${usd(maxCostPerImage)}.`
  }
  if (maxSeconds !== undefined) {
    if (slowSeconds === null) return 'how long it takes is not known, so the limit cannot be checked.'
    if (slowSeconds.value > maxSeconds)
      return `it takes up to ${inSeconds(slowSeconds.value)} (${slowSeconds.basis}), over the limit of ${inSeconds(maxSeconds)}.`
  }
  return null
}

function figureFor(judged: Judged, { prefer }: Wish): Figure | null {
  return { cost: judged.cost, speed: judged.seconds, reliability: judged.reliability }[prefer]
}

/** Negative when `a` is better. What is not known comes after what is. */
function compare(a: Judged, b: Judged, wish: Wish): number {
  if (a.excluded !== null || b.excluded !== null) return Number(a.excluded !== null) - Number(b.excluded !== null)
  const [x, y] = [figureFor(a, wish), figureFor(b, wish)]
  if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1
  if (x.value !== y.value) return wish.prefer === 'reliability' ? y.value - x.value : x.value - y.value
  return compareCosts(a, b) || (b.reliability?.value ?? 0) - (a.reliability?.value ?? 0)
}

/** Negative when `a` is surely cheaper, or its cost alone is known. */
function compareCosts(a: Judged, b: Judged): number {
  if (a.cost === null || b.cost === null) return Number(a.cost === null) - Number(b.cost === null)
  return a.cost.value - b.cost.value
}

function explain(best: Judged, ranking: readonly Judged[], wish: Wish): string[] {
  const figure = figureFor(best, wish)
  const others = ranking.filter(({ name, excluded }) => name !== best.name && excluded === null)
  const reasons = [
    figure === null
      ? `Nothing is known yet of ${nouns[wish.prefer]}: ${best.name} comes first in the configuration.`
      : `${best.name}: ${say(figure, wish)}.`,
  ]
  for (const other of others) {
    const theirs = figureFor(other, wish)
    if (figure !== null)
      reasons.push(theirs === null ? `${other.name}: no data yet.` : `${other.name}: ${say(theirs, wish)}.`)
  }
  const equals = others.filter(other => figure !== null && figureFor(other, wish)?.value === figure.value)
  if (best.cost !== null && equals.some(other => compareCosts(best, other) < 0))
    reasons.push(`Of equals the cheaper one: ${best.name} with ${say(best.cost, { prefer: 'cost' })}.`)
  for (const { name, excluded } of ranking) if (excluded !== null) reasons.push(`${name} is out: ${excluded}`)
  return reasons
}

const nouns = { cost: 'costs', speed: 'times', reliability: 'reliability' } as const

function say({ value, basis }: Figure, { prefer }: Pick<Wish, 'prefer'>): string {
  const words = {
    cost: `${usd(value)} for each finished image`,
    speed: basis === 'measured' ? `${inSeconds(value)} to a result in the median` : `${inSeconds(value)} to a result`,
    reliability: `at least ${Math.floor(value * 1000) / 10} % of attempts succeed`,
  }
  return `${words[prefer]}, ${basis}`
}

function listAssumptions(
  ranking: readonly Judged[],
  candidates: readonly Candidate[],
  wish: Wish,
  stated: StatedTimes | null,
): string[] {
  const assumptions: string[] = []
  for (const judged of ranking.filter(({ excluded }) => excluded === null)) {
    const candidate = candidates.find(({ name }) => name === judged.name)
    if (candidate === undefined) continue
    const { samples, unpriced } = candidate.measured
    if (figureFor(judged, wish)?.basis === 'measured') {
      if (wish.prefer === 'cost' && unpriced > 0)
        assumptions.push(`${judged.name} has ${unpriced} attempts whose cost nobody knows; they count as nothing.`)
      continue
    }
    assumptions.push(
      `${judged.name} has ${samples === 0 ? 'no attempts' : `${samples} of ${enoughSamples} attempts`} to measure by.`,
    )
    if (wish.prefer !== 'cost' || candidate.pricePerSecond === null) continue
    const from = candidate.pricesAsOf === null ? 'as configured' : `by the price list of ${candidate.pricesAsOf}`
    assumptions.push(`${judged.name} costs ${candidate.pricePerSecond} USD a second, ${from}.`)
  }
  const usesStated = ranking.some(
    judged =>
      judged.excluded === null && [judged.cost, judged.slowSeconds].some(figure => figure?.basis === 'declared'),
  )
  if (stated !== null && usesStated)
    assumptions.push(
      `A run takes ${stated.run} s after a cold start of ${stated.coldStart} s (${stated.source}, ${stated.asOf}).`,
    )
  return assumptions
}

function usd(amount: number): string {
  return `${Number(amount.toPrecision(3))} USD`
}

function inSeconds(seconds: number): string {
  return `${Math.round(seconds * 10) / 10} s`
}
