import type { Policy } from '../core/policy.ts'
import type { Deployment } from '../engine/contract.ts'
import { isBilled } from '../engine/insight.ts'
import type { Finding } from '../providers/contract.ts'
import { duration, ok, usd, warning } from './finding.ts'

const dayMs = 24 * 3_600_000
/** Vendors change prices about twice a year. */
const oldAfterDays = 180

/** Whether a price is known, and how old it is; nothing where nobody is paid. */
export function judgePrice({ provider, target }: Deployment, policy: Policy, now: number): Finding[] {
  if (!isBilled(provider)) return []
  const price = provider.pricePerSecond(target)
  if (price === null)
    return [
      warning(
        'price',
        'No price is known, so no budget holds here and costs cannot be told.',
        'Name hardware or pricePerSecond in the target.',
      ),
    ]
  const asOf = provider.pricesAsOf?.(target) ?? null
  const worst = usd(worstCase(price, policy))
  const words = `${price} USD per second; an attempt costs ${worst} USD at most, by the run limit of ${duration(policy.runMs)}`
  if (asOf === null) return [ok('price', `The config states ${words}.`)]
  const days = Math.floor((now - Date.parse(asOf)) / dayMs)
  if (days > oldAfterDays)
    return [
      warning(
        'price',
        `The price list is of ${asOf}, ${days} days old: ${words}.`,
        "Compare with the vendor's page; pricePerSecond in the target wins over the list.",
      ),
    ]
  return [ok('price', `By the list of ${asOf}: ${words}.`)]
}

/** USD of one attempt that runs up to its limit. */
export function worstCase(pricePerSecond: number, { runMs }: Policy): number {
  return (pricePerSecond * runMs) / 1000
}
