import { isAccountFault } from './breaker.ts'
import type { MigrationPlan } from './migration.ts'
import { type Pair, summarizePairs } from './migration-pairs.ts'
import { type AttemptFact, enoughSamples, measure, quantile, speaksFor, wilson } from './statistics.ts'

/** What a deployment must keep to become the first choice. A limit that is null does not limit. */
export interface MigrationLimits {
  /**
   * `no-worse`: the share of attempts at `to` that succeed is not below the lower end of the 95 % interval at `from`; 0.8
   * where `from` has fewer than `enoughSamples` attempts. A number, 0 to 0.98: the lower end of the interval at `to` is not
   * below it. Broken when the upper end of the interval at `to` is below.
   */
  readonly success: 'no-worse' | number
  /** The median time at `to` is at most so many times that at `from`. */
  readonly slower: number | null
  /** A finished image at `to` costs at most so many times what it does at `from`. */
  readonly dearer: number | null
  /** 95 % of the results at `to` are there within so many seconds. */
  readonly seconds: number | null
  /** USD for each finished image at `to`. */
  readonly cost: number | null
  /** Share of the compared pairs whose outputs may differ. */
  readonly differ: number
}

/** What the store tells, attempts of a deployment newest first, at most 200 of each. */
export interface StageFacts {
  /** All that is remembered: what `to` is compared with. */
  readonly from: readonly AttemptFact[]
  readonly to: readonly AttemptFact[]
  readonly pairs: readonly Pair[]
}

/** The stage that is judged. */
export interface StageScope {
  readonly plan: MigrationPlan
  /** Only attempts at `to` that were planned since then count. */
  readonly since: number
  /** Ended attempts that a step up needs. */
  readonly samples: number
  /** Compared pairs that it needs; null where there are no shadow runs. */
  readonly pairs: number | null
}

/** With fewer failures than this a share is not called bad before all samples are there; the breaker begins here, too. */
const failuresToJudge = 3
/** What is asked of `to` where nothing is known of `from`. */
const plainSuccess = 0.8

/** Warm-ups say nothing of what users wait for, and keeping warm costs the same whoever has the traffic. */
function withoutWarmUps({ from, to, pairs }: StageFacts): StageFacts {
  const isAsked = ({ warm }: AttemptFact) => warm !== true
  return { from: from.filter(isAsked), to: to.filter(isAsked), pairs }
}

/** Why the migration goes back now; null where no limit is surely broken. */
export function whyBack(scope: StageScope, all: StageFacts): string | null {
  const facts = withoutWarmUps(all)
  const { plan, since, samples, pairs: wanted } = scope
  const ended = facts.to.filter(fact => fact.plannedAt >= since && fact.endedAt !== null)
  const refusal = ended.find(
    ({ failure }) => failure !== null && (isAccountFault(failure) || failure === 'deployment_missing'),
  )
  if (refusal !== undefined)
    return `${plan.to} refused an attempt (${refusal.failure}): nothing can succeed there before a person acts.`
  const reasons = [
    successBroken(plan, samples, ended, facts.from),
    timeBroken(plan, samples, ended, facts.from),
    costBroken(plan, samples, ended, facts.from),
    wanted === null ? null : outputsBroken(plan, wanted, facts.pairs),
  ]
  return reasons.find(reason => reason !== null) ?? null
}

function successBroken(
  { to, limits }: MigrationPlan,
  samples: number,
  ended: readonly AttemptFact[],
  from: readonly AttemptFact[],
): string | null {
  const { won, samples: count, success } = measure(ended)
  const isEarly = count < samples && count - won < failuresToJudge
  const needed = neededSuccess(limits, from)
  if (success === null || isEarly || success.high >= needed.share) return null
  return `${won} of ${count} attempts at ${to} succeeded, at most ${percent(success.high)} % by its interval; ${needed.words}.`
}

/** The share that `to` is held to, and where it comes from. */
function neededSuccess(
  { success }: MigrationLimits,
  from: readonly AttemptFact[],
): { readonly share: number; readonly words: string } {
  if (success !== 'no-worse') return { share: success, words: `the limit is ${percent(success)} %` }
  const { won, samples } = measure(from)
  if (samples < enoughSamples)
    return { share: plainSuccess, words: `${percent(plainSuccess)} % are wanted while little is known of the old one` }
  const { low } = wilson(won, samples)
  return { share: low, words: `the old one has ${won} of ${samples}, at least ${percent(low)} %` }
}

/** A quantile that the times of `samples` attempts must keep. */
interface TimeLimit {
  readonly share: number
  readonly ms: number
  readonly words: string
}

function timeLimits({ from, limits }: MigrationPlan, old: readonly AttemptFact[]): (TimeLimit | { unknown: string })[] {
  const found: (TimeLimit | { unknown: string })[] = []
  if (limits.seconds !== null)
    found.push({ share: 0.95, ms: limits.seconds * 1000, words: `95 % within ${limits.seconds} s` })
  if (limits.slower !== null) {
    const total = measure(old).total
    if (total === null) found.push({ unknown: `a finished image at ${from} to compare times with` })
    else {
      const ms = limits.slower * total.p50
      found.push({
        share: 0.5,
        ms,
        words: `half of them within ${inSeconds(ms)}, ${limits.slower} times ${inSeconds(total.p50)} at ${from}`,
      })
    }
  }
  return found
}

/** So many too slow ones that the quantile of `samples` results cannot be kept any more. */
function timeBroken(plan: MigrationPlan, samples: number, ended: readonly AttemptFact[], from: readonly AttemptFact[]) {
  const times = timesOf(ended)
  for (const limit of timeLimits(plan, from)) {
    if ('unknown' in limit) continue
    const slow = times.filter(ms => ms > limit.ms).length
    const count = Math.max(samples, times.length)
    if (slow > count - Math.ceil(limit.share * count))
      return `${slow} of ${times.length} results at ${plan.to} took longer than ${inSeconds(limit.ms)}; the limit is ${limit.words}.`
  }
  return null
}

function timesOf(facts: readonly AttemptFact[]): number[] {
  return facts.flatMap(({ state, submittedAt, endedAt }) =>
    state !== 'won' || submittedAt === null || endedAt === null ? [] : endedAt - submittedAt,
  )
}

function costLimits({ from, limits }: MigrationPlan, old: readonly AttemptFact[]) {
  const found: ({ readonly most: number; readonly words: string } | { readonly unknown: string })[] = []
  if (limits.cost !== null) found.push({ most: limits.cost, words: `${usd(limits.cost)} USD` })
  if (limits.dearer !== null) {
    const cost = measure(old).costPerSuccess
    if (cost === null) found.push({ unknown: `what an image costs at ${from}` })
    else
      found.push({
        most: cost * limits.dearer,
        words: `${usd(cost * limits.dearer)} USD, ${limits.dearer} times ${usd(cost)} USD at ${from}`,
      })
  }
  return found
}

/** What was spent is so much that `samples` images cannot be had for it, should all others cost nothing. */
function costBroken(plan: MigrationPlan, samples: number, ended: readonly AttemptFact[], from: readonly AttemptFact[]) {
  const spent = ended.reduce((sum, { cost }) => sum + (cost ?? 0), 0)
  const won = ended.filter(({ state }) => state === 'won').length
  const count = Math.max(samples, won)
  for (const limit of costLimits(plan, from)) {
    if ('unknown' in limit || spent <= limit.most * count) continue
    const known =
      won === 0
        ? `${usd(spent)} USD were spent at ${plan.to} on no finished image`
        : `A finished image at ${plan.to} costs ${usd(spent / won)} USD (${usd(spent)} USD for ${won})`
    const atBest = won === count ? '' : `, and at least ${usd(spent / count)} USD when there are ${count}`
    return `${known}${atBest}; the limit for each image is ${limit.words}.`
  }
  return null
}

function outputsBroken({ limits }: MigrationPlan, wanted: number, pairs: readonly Pair[]): string | null {
  const { differ, both } = summarizePairs(pairs)
  if (differ === 0 || differ <= limits.differ * Math.max(wanted, both)) return null
  const example = pairs.find(({ differences }) => differences !== null && differences.length > 0)
  return `${differ} of ${both} pairs of outputs differ (${example?.differences?.join(', ')}; prediction ${example?.prediction}); the limit is ${percent(limits.differ)} %.`
}

/** What a step up still waits for, a phrase each; with none, `why` has the numbers that it is taken by. */
export function missingForStep(scope: StageScope, all: StageFacts): { missing: string[]; why: string } {
  const facts = withoutWarmUps(all)
  const { plan, since, samples, pairs: wanted } = scope
  const { to } = plan
  const stage = facts.to.filter(({ plannedAt }) => plannedAt >= since)
  const oldestOpen = Math.min(...stage.flatMap(({ endedAt, plannedAt }) => (endedAt === null ? plannedAt : [])))
  const known = stage.filter(({ plannedAt }) => plannedAt < oldestOpen)
  const count = known.filter(speaksFor).length
  const missing: string[] = []
  if (count < samples) {
    const waits = stage.filter(speaksFor).length > count ? ', those behind one that is still open not counted' : ''
    missing.push(`${samples - count} more attempts at ${to} (${count} of ${samples}${waits})`)
  }
  const pairs = summarizePairs(facts.pairs)
  if (wanted !== null && pairs.compared < wanted)
    missing.push(`${wanted - pairs.compared} more compared pairs (${pairs.compared} of ${wanted})`)
  // Before there are enough, the figures would only tell of chance.
  if (missing.length > 0) return { missing, why: '' }
  const figures = measure(known)
  const words: string[] = []
  takeSuccess(plan, facts.from, figures, missing, words)
  takeTimes(plan, facts.from, timesOf(known), missing, words)
  takeCosts(plan, facts.from, figures, missing, words)
  if (wanted !== null)
    words.push(
      `${pairs.compared} pairs: both ${pairs.both}, only old ${pairs.onlyFrom}, only new ${pairs.onlyTo}, ${pairs.differ} differ`,
    )
  return { missing, why: `${words.join('; ')}.` }
}

type Figures = ReturnType<typeof measure>

function takeSuccess(
  { to, limits }: MigrationPlan,
  from: readonly AttemptFact[],
  { won, samples, success }: Figures,
  missing: string[],
  words: string[],
): void {
  const needed = neededSuccess(limits, from)
  const share = limits.success === 'no-worse' ? (success?.rate ?? 0) : (success?.low ?? 0)
  if (share < needed.share)
    missing.push(
      `more attempts at ${to} that succeed: ${won} of ${samples} are ${limits.success === 'no-worse' ? '' : 'at least '}${percent(share)} %, and ${needed.words}`,
    )
  words.push(`${won} of ${samples} attempts at ${to} succeeded, ${needed.words}`)
}

function takeTimes(
  plan: MigrationPlan,
  from: readonly AttemptFact[],
  times: readonly number[],
  missing: string[],
  words: string[],
): void {
  for (const limit of timeLimits(plan, from)) {
    if ('unknown' in limit) {
      missing.push(limit.unknown)
      continue
    }
    const reached = times.length === 0 ? Number.POSITIVE_INFINITY : quantile(times, limit.share)
    if (reached > limit.ms) missing.push(`faster results at ${plan.to}: ${limit.words} are wanted`)
    words.push(`${percent(limit.share)} % of results within ${inSeconds(reached)}, wanted ${limit.words}`)
  }
}

/** Share of attempts of unknown cost, such as starts that were lost, beyond which a price is not to be believed. */
const mostUnpriced = 0.1

function takeCosts(
  plan: MigrationPlan,
  from: readonly AttemptFact[],
  { costPerSuccess: cost, unpriced, samples }: Figures,
  missing: string[],
  words: string[],
): void {
  for (const limit of costLimits(plan, from)) {
    if ('unknown' in limit) missing.push(limit.unknown)
    else if (cost === null) missing.push(`what an image costs at ${plan.to}`)
    else if (unpriced > mostUnpriced * samples)
      missing.push(`what ${unpriced} attempts at ${plan.to} cost: without them an image looks cheaper than it is`)
    else {
      if (cost > limit.most) missing.push(`cheaper images at ${plan.to}: ${usd(cost)} USD each, at most ${limit.words}`)
      words.push(`${usd(cost)} USD for each image, at most ${limit.words}`)
    }
  }
}

function percent(share: number): number {
  return Math.round(share * 1000) / 10
}

function usd(amount: number): number {
  return Number(amount.toPrecision(3))
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
