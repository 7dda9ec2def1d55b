import { budgetDayOf } from '../core/money.ts'
import type { Policy } from '../core/policy.ts'
import type { Taken } from '../core/step.ts'
import type { Reservation } from '../store/contract.ts'
import type { Route } from './contract.ts'
import { findDeployment } from './routes.ts'

/** What the store checks before an attempt may take this place and this money; `at` says of which day the money is. */
export function reservationOf(
  routes: ReadonlyMap<string, Route>,
  { deployment, amount }: Taken,
  { budgetPerDay }: Policy,
  at: number,
): Reservation {
  const configured = findDeployment(routes, deployment)
  return {
    deployment,
    concurrency: configured?.concurrency ?? 0,
    startsPerMinute: configured?.startsPerMinute ?? null,
    budget: budgetPerDay === null ? null : { amount, since: budgetDayOf(at), limit: budgetPerDay },
  }
}
