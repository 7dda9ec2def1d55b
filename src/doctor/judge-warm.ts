import type { Policy } from '../core/policy.ts'
import { describeWindow } from '../core/schedule.ts'
import { estimateWindow } from '../core/warm-cost.ts'
import type { Deployment } from '../engine/contract.ts'
import { isBilled } from '../engine/insight.ts'
import type { Finding } from '../providers/contract.ts'
import { duration, ok, usd, warning } from './finding.ts'
import { worstCase } from './judge-price.ts'

/** What a deployment's hours of `keepWarm` cost, and whether they keep anything warm; nothing where it has none. */
export function judgeWarm({ provider, target, keepWarm, concurrency }: Deployment, policy: Policy): Finding[] {
  const warmth = provider.warmth?.(target)
  if (keepWarm === undefined || warmth === undefined) return []
  const { window, timeZone, everyMs } = keepWarm
  const pricePerSecond = provider.pricePerSecond(target)
  const estimate = estimateWindow(window, everyMs, { ...warmth, pricePerSecond, bootMs: null, runMs: null })
  const findings: Finding[] = []
  const { idleMs, idleBy } = warmth
  if (idleMs !== null && !estimate.stays) {
    const who = idleBy === 'target' ? 'as the target says' : "by the vendor's default"
    findings.push(
      warning(
        'keep-warm-idle',
        `It is warmed after ${duration(everyMs)} without use, and a worker stays for ${duration(idleMs)}, ${who}: in between it is cold.`,
        'Let workers idle longer at the vendor and say so by idleSeconds, lower everySeconds, or have the vendor keep a worker.',
      ),
    )
  }
  const worst = pricePerSecond === null ? null : worstCase(pricePerSecond, policy)
  const limits = [policy.budget, policy.budgetPerDay].filter(limit => limit !== null)
  if (limits.some(limit => worst === null || worst > limit))
    findings.push(
      warning(
        'keep-warm-budget',
        'It is never warmed: the budget does not cover the worst case of one run.',
        'Raise the budget, lower runMs, or name hardware or pricePerSecond in the target.',
      ),
    )
  if (concurrency === 1 && warmth.keptBy === 'run')
    findings.push(
      warning(
        'keep-warm-place',
        'A warm-up takes the only place that it has, for as long as it runs.',
        'Raise concurrency to 2, so that a prediction need not wait for one.',
      ),
    )
  const hours = `${describeWindow(window)} ${timeZone}`
  const { amount, assumptions } = estimate
  const price = amount === null ? 'what that costs is not known' : `about ${usd(amount)} USD a day, an estimate`
  const words = `Kept warm ${hours}, after ${duration(everyMs)} without use`
  const message = isBilled(provider) ? `${words}: ${price}. ${assumptions.join(' ')}` : `${words}.`
  return [ok('keep-warm', message), ...findings]
}
