import { createAttempt } from './attempt.ts'
import { type AttemptDraft, activeAttempts, type Draft, decide, seconds } from './draft.ts'
import { createFailure, type Failure, retryAdvice } from './failure.ts'
import { fitsBudget, fitsDay, reservationFor, tooExpensive } from './money.ts'
import type { Policy } from './policy.ts'
import { type Preference, prefer } from './routing.ts'
import type { DeploymentWorld, World } from './world.ts'

/** A start that a rate limit refused spent nothing; so many may pile up before the prediction fails. */
const maxRateLimited = 20
/** Longest wait between two tries. */
const maxBackoffMs = 30_000

/**
 * How long waiting for the same deployment is better than moving on, after a failure that may pass; and for a full one
 * better than going back to where more has failed. What is broken fails at once, and so always has a place.
 */
const patienceMs = 15_000

/** What comes next for a prediction that nothing works on. */
export type Plan =
  | { readonly kind: 'attempt'; readonly deployment: DeploymentWorld; readonly why: string }
  | { readonly kind: 'wait'; readonly until: number; readonly why: string }
  | { readonly kind: 'fail'; readonly failure: Failure }

/**
 * Chooses the next deployment, or says that waiting or failing is what remains. Order: the policy's `routing`; deployments
 * with fewer tries that failed or stalled first, except that a failure which may pass (`retry: same`) gives the same
 * deployment one more try. Deployments whose credentials, target or memory already failed are out. `since` is when it began
 * to wait for a place.
 */
export function planNext(draft: Draft, now: number, policy: Policy, world: World, since: number = now): Plan {
  const last = lastFailure(draft)
  if (last !== null && retryAdvice(last.failure.code) === 'never') return { kind: 'fail', failure: last.failure }
  if (last !== null && last.failure.code === 'start_unknown' && policy.onUnknown === 'fail')
    return { kind: 'fail', failure: last.failure }

  const counted = draft.attempts.filter(attempt => !wasRateLimited(attempt))
  if (counted.length >= policy.attempts)
    return exhausted(last?.failure, `${counted.length} of ${policy.attempts} attempts are used up`)
  const limited = draft.attempts.length - counted.length
  if (limited >= maxRateLimited) return exhausted(last?.failure, `rate limits refused ${limited} starts`)

  const usable = world.route.filter(deployment => !isSpent(draft, deployment.name))
  if (usable.length === 0)
    return {
      kind: 'fail',
      failure: last?.failure ?? createFailure('deployment_missing', 'The route has no deployment.'),
    }
  const affordable = usable.filter(deployment => fitsBudget(draft, policy, world, deployment))
  if (affordable.length === 0)
    return {
      kind: 'fail',
      failure: tooExpensive(policy, world, usable),
    }

  const preferred = prefer(affordable, policy, world.jitter)
  const isRouted = world.routeWhy !== undefined && preferred.order[0] === world.route[0]
  const preference = isRouted ? { order: preferred.order, why: world.routeWhy } : preferred
  const dear = usable.flatMap(({ name }) => (affordable.some(other => other.name === name) ? [] : name))
  const ordered = order(draft, preference.order, last)
  const first = ordered[0]
  if (first !== undefined && first.name === againOn(draft, last)) {
    const until = opensAt(draft, first, last)
    if (until > now && until - now <= patienceMs)
      return { kind: 'wait', until, why: `${first.name} is tried again in ${seconds(until - now)}.` }
  }
  const opened = ordered.filter(deployment => opensAt(draft, deployment, last) <= now)
  const least = opened[0] === undefined || now - since >= patienceMs ? Infinity : triesOn(draft, opened[0])
  // A full deployment is waited for only where no other one that is as good could begin at once.
  const open = opened.find(deployment => deployment.free > 0 && triesOn(draft, deployment) <= least) ?? opened[0]
  if (open !== undefined) {
    const budget = dear.length === 0 ? '' : ` The budget does not cover ${dear.join(', ')}.`
    const why = `${reasonFor(draft, open, last, preference)}${budget}`
    return { kind: 'attempt', deployment: open, why }
  }
  const until = Math.min(...ordered.map(deployment => opensAt(draft, deployment, last)))
  const paused = ordered.flatMap(({ name, breaker }) => (breaker.state === 'open' ? `${name}: ${breaker.why}` : []))
  return { kind: 'wait', until, why: [`Next try in ${seconds(until - now)}.`, ...paused].join(' ') }
}

/** Why this one: what failed or stalled before, else the preference's own reason, or what kept the preferred one out. */
function reasonFor(
  draft: Draft,
  open: DeploymentWorld,
  last: { attempt: AttemptDraft; failure: Failure } | null,
  { order, why }: Preference,
): string {
  const [stalled] = activeAttempts(draft)
  if (stalled !== undefined) return `Beside the stalled attempt on ${stalled.deployment}.`
  if (last !== null) {
    const again = open.name === last.attempt.deployment
    return `After "${last.failure.code}" on ${last.attempt.deployment}${again ? ', which may pass.' : '.'}`
  }
  const [first] = order
  if (first === undefined || first.name === open.name) return why
  if (first.breaker.state === 'open') return `${first.name} is out (${first.breaker.why})`
  return `${first.name} cannot begin now.`
}

function exhausted(last: Failure | undefined, why: string): Plan {
  if (last === undefined)
    return { kind: 'fail', failure: createFailure('budget_exceeded', `No attempt is left: ${why}.`) }
  return { kind: 'fail', failure: { ...last, message: `${last.message} No attempt is left: ${why}.` } }
}

/** Plans the attempt; it starts at once, or as soon as its deployment has a free place. */
export function addAttempt(
  draft: Draft,
  now: number,
  policy: Policy,
  world: World,
  plan: Plan & { kind: 'attempt' },
): AttemptDraft {
  const attempt = createAttempt(world.newId(), draft.attempts.length + 1, plan.deployment.name, now)
  attempt.reserved = reservationFor(plan.deployment, policy)
  draft.attempts.push(attempt)
  decide(draft, now, attempt, `attempt ${attempt.number} on ${attempt.deployment}`, plan.why)
  return attempt
}

/**
 * An attempt that waits for a place, or whose money others have spent meanwhile, has sent nothing yet: where another
 * deployment can have it, it goes there. Where none can, the account says what it waits for.
 */
export function placeWaiting(draft: Draft, attempt: AttemptDraft, now: number, policy: Policy, world: World): void {
  const own = world.deployments[attempt.deployment]
  if (own === undefined) return
  const isPaid = fitsDay(attempt.reserved, policy, world)
  if (isPaid && own.free > 0 && own.closedUntil <= now) return
  const others = { ...draft, attempts: draft.attempts.filter(other => other !== attempt) }
  const next = planNext(others, now, policy, world, attempt.plannedAt)
  const why = !isPaid
    ? `Today's budget does not cover ${own.name} any more.`
    : own.closedUntil > now
      ? `${own.name} asks to be left alone for another ${seconds(own.closedUntil - now)}.`
      : `${own.name} has no free place, or no start left in this minute.`
  if (next.kind === 'attempt' && next.deployment.name !== own.name && (!isPaid || next.deployment.free > 0)) {
    attempt.deployment = next.deployment.name
    attempt.reserved = reservationFor(next.deployment, policy)
    decide(draft, now, attempt, `attempt ${attempt.number} on ${attempt.deployment}`, `${why} Nothing was sent there.`)
    return
  }
  const isTold = draft.decisions.some(({ what, attempt: of }) => what === 'waits' && of === attempt.number)
  if (isPaid && !isTold) decide(draft, now, attempt, 'waits', why)
}

/**
 * Sets when the next try may start: full-jitter exponential backoff, and never before the provider's own Retry-After.
 * Failover to another deployment does not wait.
 */
export function setBackoff(draft: Draft, now: number, failure: Failure, policy: Policy, world: World): void {
  const tries = draft.attempts.length
  const backoff = world.jitter() * Math.min(maxBackoffMs, policy.backoffMs * 2 ** (tries - 1))
  const asked =
    failure.retryAfterMs === undefined ? 0 : failure.retryAfterMs + world.jitter() * 0.1 * failure.retryAfterMs
  draft.retryAt = now + Math.round(Math.max(backoff, asked))
}

/** The newest: beside a hedge, not always the one of the newest attempt. */
function lastFailure(draft: Draft): { attempt: AttemptDraft; failure: Failure } | null {
  const failed = draft.attempts.flatMap(attempt => {
    const failure = attempt.failure ?? attempt.abandoned?.failure
    return failure == null ? [] : [{ attempt, failure, at: attempt.abandoned?.at ?? attempt.endedAt ?? 0 }]
  })
  return failed.toSorted((a, b) => a.at - b.at).at(-1) ?? null
}

function failuresOn(draft: Draft, deployment: string): Failure[] {
  return draft.attempts.flatMap(attempt => {
    const failure = attempt.failure ?? attempt.abandoned?.failure
    return attempt.deployment === deployment && failure != null ? [failure] : []
  })
}

function wasRateLimited(attempt: AttemptDraft): boolean {
  return attempt.release === 'none' && attempt.failure?.code === 'rate_limited'
}

/** Nothing that this prediction does can make the deployment work. */
function isSpent(draft: Draft, deployment: string): boolean {
  const failures = failuresOn(draft, deployment)
  return (
    failures.some(failure => failure.fault === 'config') ||
    failures.some(failure => failure.code === 'out_of_memory' || failure.code === 'no_gpu')
  )
}

function order(
  draft: Draft,
  deployments: readonly DeploymentWorld[],
  last: { attempt: AttemptDraft; failure: Failure } | null,
): DeploymentWorld[] {
  const again = againOn(draft, last)
  const weight = (deployment: DeploymentWorld) => (deployment.name === again ? -1 : triesOn(draft, deployment))
  return deployments.toSorted((a, b) => weight(a) - weight(b))
}

/** How often this prediction failed or stalled there, or tries now. */
function triesOn(draft: Draft, { name }: DeploymentWorld): number {
  return failuresOn(draft, name).length + activeAttempts(draft).filter(({ deployment }) => deployment === name).length
}

/** The deployment that gets one more try, because its last failure may pass. */
function againOn(draft: Draft, last: { attempt: AttemptDraft; failure: Failure } | null): string | null {
  if (last === null || retryAdvice(last.failure.code) !== 'same') return null
  const failures = failuresOn(draft, last.attempt.deployment).filter(failure => failure.code !== 'rate_limited')
  return failures.length < 2 ? last.attempt.deployment : null
}

/**
 * The same deployment waits for its backoff; another one may start at once; a closed one waits for its provider, and one
 * whose breaker is open for its end.
 */
function opensAt(draft: Draft, deployment: DeploymentWorld, last: { attempt: AttemptDraft } | null): number {
  const backoff = last !== null && last.attempt.deployment === deployment.name ? (draft.retryAt ?? 0) : 0
  const paused = deployment.breaker.state === 'open' ? deployment.breaker.until : 0
  return Math.max(deployment.closedUntil, paused, backoff)
}

/** Whether a second attempt may run beside a stalled one. */
export function mayHedge(draft: Draft, policy: Policy): boolean {
  return (
    activeAttempts(draft).length <= policy.hedges &&
    draft.attempts.filter(attempt => !wasRateLimited(attempt)).length < policy.attempts
  )
}
