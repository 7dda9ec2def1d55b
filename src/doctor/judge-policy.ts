import type { Policy } from '../core/policy.ts'
import type { Deployment, Route } from '../engine/contract.ts'
import { isBilled } from '../engine/insight.ts'
import type { Finding } from '../providers/contract.ts'
import { duration, ok, problem, usd, warning } from './finding.ts'
import { worstCase } from './judge-price.ts'

/** Longer than this nobody should wait for a run that shows nothing. */
const longSilenceMs = 10 * 60_000

/** Whether a route's budgets of time, attempts and money let its deployments do their work. */
export function judgePolicy(route: Route, publicUrl: string | null): Finding[] {
  const findings = [...judgeTime(route), ...judgeMoney(route), ...judgeLostStarts(route, publicUrl)]
  if (findings.length > 0) return findings
  const names = route.deployments.map(({ name }) => name).join(', then ')
  const { attempts, deadlineMs } = route.policy
  return [ok('route', `Runs on ${names}: at most ${attempts} attempts within ${duration(deadlineMs)}.`)]
}

function judgeTime({ deployments, policy }: Route): Finding[] {
  const findings: Finding[] = []
  const { deadlineMs, queueMs, bootMs, runMs, attempts } = policy
  const isHere = deployments.every(({ provider }) => provider.limits.thisHostOnly)
  const longest = queueMs + bootMs + runMs
  // On this machine nothing queues or boots for minutes, whatever the limits say.
  if (!isHere && deadlineMs < longest)
    findings.push(
      warning(
        'deadline',
        `The deadline of ${duration(deadlineMs)} is shorter than one attempt may take (queue, boot and run: ${duration(longest)}), so a slow one is not followed by another.`,
        'Raise deadlineMs, or lower queueMs, bootMs and runMs.',
      ),
    )
  if (!isHere) findings.push(...judgeTimers(policy))
  if (!isHere && attempts === 1)
    findings.push(
      warning('attempts', 'One attempt is all there is: when it fails, the prediction fails.', 'Raise attempts.'),
    )
  const silent = namesOf(deployments.filter(({ provider }) => provider.limits.silent === true))
  if (silent !== '' && runMs > longSilenceMs)
    findings.push(
      warning(
        'silent-run',
        `${silent} shows nothing of a run before its end, so one that hangs is ended after ${duration(runMs)} only.`,
        'Set runMs to the longest that a good run takes.',
      ),
    )
  return findings
}

/** Timers of one policy of which one makes another meaningless. */
function judgeTimers({ deadlineMs, bootMs, queueMs, runMs, stallMs, lastStageMs, collectMs }: Policy): Finding[] {
  const never: string[] = []
  if (queueMs >= deadlineMs) never.push(`queueMs (${duration(queueMs)})`)
  if (bootMs >= deadlineMs) never.push(`bootMs (${duration(bootMs)})`)
  if (runMs >= deadlineMs) never.push(`runMs (${duration(runMs)})`)
  if (collectMs >= deadlineMs) never.push(`collectMs (${duration(collectMs)})`)
  const findings: Finding[] = []
  if (never.length > 0)
    findings.push(
      warning(
        'timers',
        `${never.join(', ')} cannot pass before the deadline of ${duration(deadlineMs)}: what it is for ends by the deadline instead, and nothing is tried elsewhere.`,
        'Make each of them shorter than deadlineMs.',
      ),
    )
  if (stallMs >= runMs || lastStageMs >= runMs)
    findings.push(
      warning(
        'timers',
        `A run that stands still is not noticed before its limit: stallMs is ${duration(stallMs)}, lastStageMs ${duration(lastStageMs)}, runMs ${duration(runMs)}.`,
        'Make stallMs and lastStageMs shorter than runMs.',
      ),
    )
  return findings
}

function judgeMoney({ deployments, policy }: Route): Finding[] {
  const { budget, budgetPerDay } = policy
  const limits = [budget, budgetPerDay].filter(limit => limit !== null)
  if (limits.length === 0) return []
  const smallest = Math.min(...limits)
  const priceOf = ({ provider, target }: Deployment) => provider.pricePerSecond(target)
  const unpriced = deployments.filter(deployment => priceOf(deployment) === null)
  const dear = deployments.filter(deployment => worstCase(priceOf(deployment) ?? 0, policy) > smallest)
  const level = unpriced.length + dear.length === deployments.length ? problem : warning
  const findings: Finding[] = []
  if (unpriced.length > 0)
    findings.push(
      level(
        'budget',
        `The budget keeps everything from ${namesOf(unpriced)}: without a price the worst case is not known.`,
        'Name hardware or pricePerSecond in the target.',
      ),
    )
  if (dear.length > 0)
    findings.push(
      level(
        'budget',
        `The budget of ${usd(smallest)} USD keeps everything from ${namesOf(dear)}: by the run limit an attempt may cost more.`,
        'Raise the budget, or lower runMs.',
      ),
    )
  return findings
}

/** A start whose answer is lost is sent again unless somebody can tell that it was taken. */
function judgeLostStarts({ deployments, policy }: Route, publicUrl: string | null): Finding[] {
  if (policy.onUnknown === 'fail' || publicUrl !== null) return []
  const blind = deployments.filter(({ provider }) => isBilled(provider) && provider.find === undefined)
  if (blind.length === 0) return []
  return [
    warning(
      'lost-start',
      `A start whose answer is lost is paid again after ${duration(policy.unknownMs)}: ${namesOf(blind)} cannot be searched, and cannot call us.`,
      "Set a public URL, or the policy's onUnknown to 'fail'.",
    ),
  ]
}

function namesOf(deployments: readonly Deployment[]): string {
  return deployments.map(({ name }) => name).join(', ')
}
