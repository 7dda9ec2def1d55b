import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import { budgetDayOf } from '../core/money.ts'
import { noLimits, type TokenLimits } from '../core/token.ts'
import type { Quota, Store } from '../store/contract.ts'
import type { Route } from './contract.ts'

/** What a new prediction gets of its owner's limits. */
export interface Grant {
  /** See `PredictionRecord`; undefined where the owner has no budget. */
  readonly allowance: number | undefined
  /** What the store checks again as it inserts; undefined where there is no limit. */
  readonly quota: Quota | undefined
}

/** What clients may wait before they try again; some prediction ends about every so often. */
const retryAfterMs = 5_000

/**
 * Grants a prediction what all its attempts may cost at worst, or what is left of its owner's day where that is less, but
 * at least one attempt at the cheapest deployment. Fails with `rate_limited` (429) where the owner has as many predictions
 * as it may have, with `budget_exceeded` (402) where its day has no room for an attempt.
 */
export async function grant(
  store: Pick<Store, 'usedBy'>,
  { deployments, policy }: Pick<Route, 'deployments' | 'policy'>,
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
  if (least > left) refuseDearer(budgetPerDay, charged, least)
  const most = Math.min(Math.max(...known) * policy.attempts, policy.budget ?? Number.POSITIVE_INFINITY)
  return {
    allowance: Math.min(most, left),
    quota: { live: concurrency, budget: { since, limit: budgetPerDay } },
  }
}

/** The owner has as many predictions as it may have. */
export function refuseMore(concurrency: number): never {
  const message = `This token may have ${concurrency} ${concurrency === 1 ? 'prediction' : 'predictions'} at a time, and has them.`
  const advice = 'Wait for the end of one, or cancel one.'
  throw new SurefootError(createFailure('rate_limited', message, { fault: 'user', advice, retryAfterMs }), {
    status: 429,
  })
}

function refuseDearer(limit: number, charged: number, least: number): never {
  const message = `This token's budget of ${usd(limit)} USD for today has ${usd(Math.max(0, limit - charged))} USD left, and an attempt may cost ${usd(least)} USD.`
  refuse('budget_exceeded', message, { status: 402, advice: 'Wait for midnight UTC, or ask for a larger budget.' })
}

/** Others have just taken what was left. */
export function refuseOvertaken({ budget }: Quota): never {
  const message = `This token's budget of ${usd(budget?.limit ?? 0)} USD for today is taken.`
  refuse('budget_exceeded', message, { status: 402, advice: 'Wait for midnight UTC, or ask for a larger budget.' })
}

function usd(amount: number): number {
  return Number(amount.toFixed(4))
}
