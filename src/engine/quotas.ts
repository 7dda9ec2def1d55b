import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import { budgetDayOf } from '../core/money.ts'
import { noLimits, type TokenLimits } from '../core/token.ts'
import type { Quota, Store } from '../store/contract.ts'
import type { Deployment, Route } from './contract.ts'

/** What a new prediction gets of its owner's limits. */
export interface Grant {
  /** See `PredictionRecord`; undefined where the owner has no budget. */
  readonly allowance: number | undefined
  /** What the store checks again as it inserts; undefined where there is no limit. */
  readonly quota: Quota | undefined
}

/** As much of a route as prices need. */
export interface PricedRoute {
  readonly deployments: readonly {
    readonly provider: Pick<Deployment['provider'], 'pricePerSecond'>
    readonly target: Deployment['target']
  }[]
  readonly policy: Pick<Route['policy'], 'runMs' | 'attempts' | 'budget'>
}

/** What clients may wait before they try again; some prediction ends about every so often. */
const retryAfterMs = 5_000

/** USD by which sums of fractions may be off. */
const rounding = 1e-9

/**
 * Grants a prediction what all its attempts may cost at worst, or its share of what is left of its owner's day where that
 * is less, but at least one attempt at the cheapest deployment; the share is all of it, or one part for each further
 * prediction that the owner may have beside those that run. Fails with `rate_limited` (429) where the owner has as many
 * predictions as it may have, with `budget_exceeded` where its day has no room for an attempt: 402, or 429 while others of
 * its predictions run, which mostly cost less than is set aside for them.
 */
export async function grant(
  store: Pick<Store, 'usedBy'>,
  { deployments, policy }: PricedRoute,
  owner: string,
  { concurrency, budgetPerDay }: TokenLimits = noLimits,
  now: number,
): Promise<Grant> {
  if (concurrency === null && budgetPerDay === null) return { allowance: undefined, quota: undefined }
  const since = budgetDayOf(now)
  const { live, charged } = await store.usedBy(owner, since)
  if (concurrency !== null && live >= concurrency) refuseMore(concurrency)
  if (budgetPerDay === null) return { allowance: undefined, quota: { live: concurrency, budget: null } }
  const prices = deployments.map(({ provider, target }) => provider.pricePerSecond(target))
  const known = prices.filter(price => price !== null).map(price => (price * policy.runMs) / 1000)
  if (known.length === 0)
    refuse('budget_exceeded', 'No price is known of any deployment of this model, so a budget cannot cover it.', {
      status: 402,
      advice: 'Set hardware or pricePerSecond of a deployment in the config, or use a token without a budget.',
    })
  const left = budgetPerDay - charged
  const least = Math.min(...known)
  if (least > left + rounding) refuseDearer(budgetPerDay, charged, least, live)
  const most = Math.min(Math.max(...known) * policy.attempts, policy.budget ?? Number.POSITIVE_INFINITY)
  return {
    allowance: Math.min(most, Math.max(least, concurrency === null ? left : left / (concurrency - live))),
    quota: { live: concurrency, budget: { since, limit: budgetPerDay + rounding } },
  }
}

/** The owner has as many predictions as it may have. */
export function refuseMore(concurrency: number): never {
  const message = `This caller may have ${concurrency} ${concurrency === 1 ? 'prediction' : 'predictions'} at a time, and has them.`
  const advice = 'Wait for the end of one, or cancel one.'
  throw new SurefootError(createFailure('rate_limited', message, { fault: 'user', advice, retryAfterMs }), {
    status: 429,
  })
}

function refuseDearer(limit: number, charged: number, least: number, live: number): never {
  const message = `This caller's budget of ${usd(limit)} USD for today has ${usd(Math.max(0, limit - charged))} USD left, and an attempt may cost ${usd(least)} USD.`
  if (live > 0) refuseForNow(`${message} Some is set aside for predictions that run (${live}).`)
  refuse('budget_exceeded', message, { status: 402, advice: 'Wait for midnight UTC, or ask for a larger budget.' })
}

/** Others have just taken what was left. */
export function refuseOvertaken({ budget }: Quota): never {
  refuseForNow(
    `This caller's budget of ${usd(budget?.limit ?? 0)} USD for today is set aside for predictions that run.`,
  )
}

function refuseForNow(message: string): never {
  const advice = 'Wait for the end of one.'
  throw new SurefootError(createFailure('budget_exceeded', message, { advice, retryAfterMs }), { status: 429 })
}

function usd(amount: number): number {
  return Number(amount.toFixed(4))
}
