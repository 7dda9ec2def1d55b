import type { Draft } from './draft.ts'
import { createFailure, type Failure } from './failure.ts'
import type { Policy } from './policy.ts'
import { type Attempt, isEnded, isTerminal, type PredictionRecord } from './prediction.ts'
import type { DeploymentWorld, World } from './world.ts'

const dayMs = 24 * 3_600_000

/** The midnight (UTC, ms since 1970) from which a day's budget counts. */
export function budgetDayOf(now: number): number {
  return Math.floor(now / dayMs) * dayMs
}

/** Worst case: the price of the whole run limit. Zero where no price is known. */
export function reservationFor(deployment: DeploymentWorld, policy: Policy): number {
  return ((deployment.pricePerSecond ?? 0) * policy.runMs) / 1000
}

/** A deployment of unknown price cannot be bounded, so no budget covers it. */
export function fitsBudget(draft: Draft, policy: Policy, world: World, deployment: DeploymentWorld): boolean {
  const { budget, budgetPerDay } = policy
  if (budget === null && budgetPerDay === null) return true
  if (deployment.pricePerSecond === null) return false
  const worst = reservationFor(deployment, policy)
  const spent = draft.attempts.reduce((sum, attempt) => sum + spentOn(attempt), 0)
  return (budget === null || spent + worst <= budget) && fitsDay(worst, policy, world)
}

/**
 * Whether the day's budget has room for this much more. What the world knows may be seconds old; the store asks again in
 * the transaction that writes the start.
 */
export function fitsDay(amount: number, { budgetPerDay }: Policy, { spentToday }: World): boolean {
  return budgetPerDay === null || spentToday + amount <= budgetPerDay
}

/** The worst case while it may still run somewhere, then what it cost; nothing for an attempt that never started. */
export function spentOn(attempt: Pick<Attempt, 'state' | 'release' | 'cost' | 'reserved'>): number {
  const { state, release, cost, reserved } = attempt
  if (state === 'planned' || (release === 'none' && isEnded(state))) return 0
  return release === 'confirmed' ? (cost?.amount ?? reserved) : Math.max(cost?.amount ?? 0, reserved)
}

/**
 * What a prediction takes of its owner's budget: all that it may still cost while it runs, then what its attempts cost.
 * Null where the owner has no budget.
 */
export function chargeOf({ allowance, status, attempts }: PredictionRecord): number | null {
  if (allowance === undefined) return null
  const spent = attempts.reduce((sum, attempt) => sum + spentOn(attempt), 0)
  return isTerminal(status) ? spent : Math.max(allowance, spent)
}

/** Says which budget does not suffice, and what another attempt may cost at each of these deployments. */
export function tooExpensive(policy: Policy, world: World, deployments: readonly DeploymentWorld[]): Failure {
  const { budget, budgetPerDay } = policy
  const budgets = [
    ...(budget === null ? [] : [`the budget of ${budget} USD`]),
    ...(budgetPerDay === null
      ? []
      : [`today's budget of ${budgetPerDay} USD, of which ${usd(world.spentToday)} are spent or reserved`]),
  ]
  const costs = deployments.map(deployment =>
    deployment.pricePerSecond === null
      ? `${deployment.name}: no price is known, set hardware or pricePerSecond`
      : `${deployment.name}: up to ${usd(reservationFor(deployment, policy))} USD`,
  )
  const message = `Another attempt is not covered by ${budgets.join(', or by ')} (${costs.join('; ')}).`
  return createFailure('budget_exceeded', message)
}

function usd(amount: number): number {
  return Number(amount.toFixed(4))
}
