import { confirmEnd, endAttempt, isPending } from './attempt.ts'
import { type AttemptDraft, type Draft, decide, seconds } from './draft.ts'
import type { Effect } from './events.ts'
import { createFailure } from './failure.ts'
import { fitsDay, tooExpensive } from './money.ts'
import type { Policy } from './policy.ts'
import { type Abandoned, type EffectKind, isEnded, isTerminal } from './prediction.ts'
import { type Timer, timersOf } from './timers.ts'
import type { DeploymentWorld, World } from './world.ts'

/** Longest wait between cancels that are not confirmed, and between collects that are cut off. */
const maxRetryMs = 30_000
/** Between polls that fail: shorter, because a run that has finished meanwhile waits for the next one. */
const maxPollRetryMs = 10_000
const firstCancelRetryMs = 2_000
const firstCollectRetryMs = 500
/** So many looks in a row may fail before timers end an attempt that nobody can see: a quarter of a minute at a poll every 2 s. */
export const failedLooks = 3
/** A question at a connection that is the run tells what there is to tell within this time, or later that the run has ended. */
const heldLookMs = 5_000
/** A provider that has not answered by then is slow to answer at all. */
const slowLookMs = 5_000
/** How often an unknown start is looked for. */
const findEveryMs = 5_000
/** Timers that wait for a look around before they end an attempt: all, until its output is known. */
const inspected: ReadonlySet<Timer['name']> = new Set(['unknown', 'queue', 'boot', 'stall', 'lastStage', 'run'])

/**
 * Begins what an attempt needs now: sending the planned start, finding a lost one, polling, cancelling, collecting.
 * Only called while the lease is held. Every started attempt is followed until the provider confirms its end, or until
 * `releaseMs` after it was given notice, when giving up is recorded as such.
 */
export function follow(draft: Draft, attempt: AttemptDraft, now: number, policy: Policy, world: World): Effect[] {
  const deployment = world.deployments[attempt.deployment]
  if (deployment === undefined) return followUnconfigured(draft, attempt, now)
  const effects: Effect[] = []
  if (attempt.state === 'submitting' && deployment.heldStart) hangUp(draft, attempt, now)
  if (attempt.state === 'planned') effects.push(...sendStart(attempt, now, policy, deployment, world))
  if (attempt.state === 'unknown') giveUpUnknown(draft, attempt, now, policy)
  if (attempt.state === 'unknown') effects.push(...look(attempt, now, deployment, world))
  if (attempt.state === 'collecting') effects.push(...collect(attempt, now, policy, world))
  if (attempt.handle !== null && attempt.release === 'open') {
    effects.push(...stop(draft, attempt, now, policy, deployment, world))
    if (attempt.release === 'open') effects.push(...poll(attempt, now, deployment, world))
  }
  effects.push(...inspect(attempt, now, policy, deployment, world))
  return effects
}

/** When `follow` has something to do again; Infinity when only an answer can change anything. */
export function followAt(attempt: AttemptDraft, policy: Policy, world: World): number {
  const deployment = world.deployments[attempt.deployment]
  if (deployment === undefined) return isEnded(attempt.state) ? Infinity : 0
  let at = Infinity
  if (attempt.state === 'planned' && deployment.free > 0) at = Math.min(at, deployment.closedUntil)
  if (attempt.state === 'unknown' && deployment.canFind && !isPending(attempt, 'find'))
    at = Math.min(at, attempt.nextFindAt ?? 0)
  if (attempt.state === 'collecting' && !isPending(attempt, 'collect')) at = Math.min(at, attempt.nextCollectAt ?? 0)
  if (attempt.release === 'open' && attempt.handle !== null) {
    if (deployment.canPoll && !isPending(attempt, 'poll')) at = Math.min(at, attempt.nextPollAt ?? 0)
    if (attempt.abandoned !== null && deployment.canCancel && !isPending(attempt, 'cancel'))
      at = Math.min(at, attempt.nextCancelAt ?? Infinity)
    if (attempt.abandoned !== null) at = Math.min(at, givenUpAt(attempt.abandoned, policy))
  }
  if (attempt.abandoned !== null && attempt.handle === null && attempt.state === 'unknown')
    at = Math.min(at, givenUpAt(attempt.abandoned, policy))
  for (const pending of attempt.pending) at = Math.min(at, orphanedAt(pending, deployment, world))
  return at
}

/**
 * Whether an attempt must be looked at before a timer may end it: an answer is under way, a look is overdue, or the last
 * ones failed. After a time in which nobody saw it (a process that was dead, a status endpoint that was away) a run that
 * goes on, or has long succeeded, would otherwise end as stalled and be paid again.
 */
export function looksFirst(attempt: AttemptDraft, now: number, world: World): boolean {
  const deployment = world.deployments[attempt.deployment]
  if (deployment === undefined) return false
  if (attempt.state === 'unknown')
    return deployment.canFind && (isPending(attempt, 'find') || (attempt.nextFindAt ?? 0) <= now)
  if (attempt.handle === null || attempt.release !== 'open') return false
  const isBlind = attempt.pollFailures > 0 && attempt.pollFailures <= failedLooks
  const isLooking = isPending(attempt, 'poll')
    ? lookEndsAt(attempt, deployment) > now
    : (attempt.nextPollAt ?? 0) <= now
  return deployment.canPoll && (isLooking || isBlind)
}

/**
 * Until when a look that is under way holds back a timer. Where a connection is the run, the other side holds a question open
 * for minutes while the run goes on: that it has not answered for a moment is its answer.
 */
export function lookEndsAt(attempt: AttemptDraft, deployment: DeploymentWorld | undefined): number {
  const asked = attempt.pending.find(({ kind }) => kind === 'poll')
  return asked !== undefined && deployment?.heldStart === true ? asked.at + heldLookMs : Infinity
}

/**
 * Whether what surrounds an attempt must be looked at before this timer may end it: a kit may have delivered although the
 * provider's status stands still, and the provider's health tells a queue from a crash loop.
 */
export function inspectsFirst(attempt: AttemptDraft, timer: Timer): boolean {
  return inspected.has(timer.name) && (attempt.inspectedAt ?? 0) < timer.at
}

/**
 * Whether a collect must be tried before its timer may end the attempt: one is due and nobody has begun it, or it was begun
 * only when the time was over. Where no process ran meanwhile, nobody has tried, and the output may well be there.
 */
export function collectsFirst(attempt: AttemptDraft, timer: Timer, now: number): boolean {
  if (timer.name !== 'collect') return false
  const begun = attempt.pending.find(({ kind }) => kind === 'collect')
  return begun === undefined ? (attempt.nextCollectAt ?? 0) <= now : begun.at >= timer.at
}

/** From when on nobody will answer a pending effect any more. */
export function orphanedAt(
  pending: { readonly kind: EffectKind; readonly engine: string; readonly until: number },
  deployment: DeploymentWorld | undefined,
  world: World,
): number {
  if (pending.engine === world.engine || !world.mayBegin) return pending.until
  // A connection that is held dies with its process; should it live, what it brings is adopted all the same.
  const mayBeAnswered = pending.kind === 'start' && !world.alone && deployment?.heldStart !== true
  return mayBeAnswered ? pending.until : 0
}

/** How long the call of a start may take. */
export function startLimitMs(
  { heldStart, startTimeoutMs }: Pick<DeploymentWorld, 'heldStart' | 'startTimeoutMs'>,
  { runMs }: Policy,
): number {
  return heldStart ? runMs + startTimeoutMs : startTimeoutMs
}

function sendStart(
  attempt: AttemptDraft,
  now: number,
  policy: Policy,
  deployment: DeploymentWorld,
  world: World,
): Effect[] {
  // Others may have spent the day's money since it was planned.
  if (!fitsDay(attempt.reserved, policy, world)) {
    endAttempt(attempt, now, 'failed', tooExpensive(policy, world, [deployment]))
    return []
  }
  if (deployment.free <= 0 || deployment.closedUntil > now) return []
  attempt.state = 'submitting'
  attempt.submittedAt = now
  attempt.changedAt = now
  const lostAfterMs = 2 * startLimitMs(deployment, policy) + deployment.callTimeoutMs
  return [{ type: 'start', ...begin(attempt, 'start', now, lostAfterMs, world) }]
}

/** Nobody wants the run that a held connection waits for: it is closed, and what became of the run nobody knows. */
function hangUp(draft: Draft, attempt: AttemptDraft, now: number): void {
  if (attempt.abandoned === null || !isPending(attempt, 'start')) return
  attempt.pending = attempt.pending.filter(({ kind }) => kind !== 'start')
  attempt.state = 'unknown'
  attempt.unknownSince = now
  decide(draft, now, attempt, 'connection closed', 'The run lived on its connection; whether it went on is not known.')
}

function look(attempt: AttemptDraft, now: number, deployment: DeploymentWorld, world: World): Effect[] {
  if (!deployment.canFind || isPending(attempt, 'find') || (attempt.nextFindAt ?? 0) > now) return []
  attempt.nextFindAt = now + findEveryMs
  return [
    {
      type: 'find',
      ...begin(attempt, 'find', now, 2 * deployment.callTimeoutMs, world),
      since: attempt.submittedAt ?? attempt.plannedAt,
    },
  ]
}

function inspect(
  attempt: AttemptDraft,
  now: number,
  policy: Policy,
  deployment: DeploymentWorld,
  world: World,
): Effect[] {
  if (attempt.abandoned !== null || isPending(attempt, 'inspect')) return []
  const due = timersOf(attempt, policy, deployment).some(timer => timer.at <= now && inspectsFirst(attempt, timer))
  return due ? [{ type: 'inspect', ...begin(attempt, 'inspect', now, 2 * deployment.callTimeoutMs, world) }] : []
}

function poll(attempt: AttemptDraft, now: number, deployment: DeploymentWorld, world: World): Effect[] {
  if (!deployment.canPoll || isPending(attempt, 'poll') || (attempt.nextPollAt ?? 0) > now) return []
  attempt.nextPollAt = now + deployment.pollMs
  return [{ type: 'poll', ...begin(attempt, 'poll', now, 2 * deployment.callTimeoutMs, world), handle: attempt.handle }]
}

function collect(attempt: AttemptDraft, now: number, policy: Policy, world: World): Effect[] {
  if (attempt.outputs === null || isPending(attempt, 'collect') || (attempt.nextCollectAt ?? 0) > now) return []
  return [{ type: 'collect', ...begin(attempt, 'collect', now, 2 * policy.collectMs, world), outputs: attempt.outputs }]
}

function stop(
  draft: Draft,
  attempt: AttemptDraft,
  now: number,
  policy: Policy,
  deployment: DeploymentWorld,
  world: World,
): Effect[] {
  if (attempt.abandoned === null) return []
  if (now >= givenUpAt(attempt.abandoned, policy)) {
    decide(
      draft,
      now,
      attempt,
      'given up',
      `The provider did not confirm the end within ${seconds(policy.releaseMs)}; the run may still cost money there.`,
    )
    confirmEnd(attempt, now, 'failed', attempt.failure)
    attempt.release = 'given_up'
    return []
  }
  if (!deployment.canCancel || isPending(attempt, 'cancel') || (attempt.nextCancelAt ?? Infinity) > now) return []
  attempt.cancelTries += 1
  attempt.nextCancelAt = now + Math.min(maxRetryMs, firstCancelRetryMs * 2 ** (attempt.cancelTries - 1))
  return [
    { type: 'cancel', ...begin(attempt, 'cancel', now, 2 * deployment.callTimeoutMs, world), handle: attempt.handle },
  ]
}

function givenUpAt(notice: Abandoned, policy: Policy): number {
  return notice.at + policy.releaseMs
}

/** A start whose answer was lost and that nobody found: recorded as given up, still adopted should it ever show up. */
function giveUpUnknown(draft: Draft, attempt: AttemptDraft, now: number, policy: Policy): void {
  if (attempt.abandoned === null || now < givenUpAt(attempt.abandoned, policy)) return
  decide(draft, now, attempt, 'given up', `The run never showed up within ${seconds(policy.releaseMs)}.`)
  endAttempt(attempt, now, attempt.abandoned.as, attempt.abandoned.failure)
  attempt.release = 'given_up'
}

/** The deployment left the configuration: nobody can be asked any more. */
function followUnconfigured(draft: Draft, attempt: AttemptDraft, now: number): Effect[] {
  if (attempt.release !== 'open' && isEnded(attempt.state)) return []
  const why = `${attempt.deployment} is not configured any more.`
  decide(draft, now, attempt, 'given up', `${why} Nobody there can be asked.`)
  const mayRun = attempt.release === 'open' || attempt.state === 'submitting' || attempt.state === 'unknown'
  confirmEnd(attempt, now, 'failed', createFailure('deployment_missing', why))
  if (mayRun) attempt.release = 'given_up'
  return []
}

function begin(
  attempt: AttemptDraft,
  kind: EffectKind,
  now: number,
  limitMs: number,
  world: World,
): { effect: string; attempt: string; deployment: string } {
  const id = world.newId()
  attempt.pending = [...attempt.pending, { id, kind, at: now, until: now + limitMs, engine: world.engine }]
  return { effect: id, attempt: attempt.id, deployment: attempt.deployment }
}

/** The pace counts from the answer: else every answer slower than it would leave a next look overdue, and no timer fires. */
export function pollNext(attempt: AttemptDraft, now: number, pollMs: number): void {
  attempt.pollFailures = 0
  attempt.nextPollAt = now + pollMs
}

/** The same for a search, whether it found nothing or failed. */
export function findNext(attempt: AttemptDraft, now: number, answered: boolean): void {
  attempt.nextFindAt = now + findEveryMs
  if (answered) attempt.searchedAt = now
}

/** A poll that could not be asked says nothing about the job: it is asked again, slower each time. */
export function pollAgain(attempt: AttemptDraft, now: number, pollMs: number, askedMs: number | undefined): void {
  attempt.pollFailures += 1
  const backoff = Math.min(maxPollRetryMs, pollMs * 2 ** Math.min(10, attempt.pollFailures))
  attempt.nextPollAt = now + Math.max(backoff, askedMs ?? 0)
}

/**
 * A poll that our own engine cut off is as good as never begun. False where it had waited so long that it has failed: of a
 * provider that hangs, an engine that never waits longer would see nothing else.
 */
export function pollAnew(attempt: AttemptDraft, now: number, begunAt: number): boolean {
  if (now - begunAt >= slowLookMs) return false
  attempt.nextPollAt = begunAt
  return true
}

/** A collect that was cut off is tried again until its time is over; one that got further has its whole time again. */
export function collectAgain(
  attempt: AttemptDraft,
  now: number,
  askedMs: number | undefined,
  broughtMore: boolean = false,
): void {
  if (broughtMore) {
    attempt.collectFailures = 0
    attempt.collectSince = now
  }
  attempt.collectFailures += 1
  const backoff = Math.min(maxRetryMs, firstCollectRetryMs * 2 ** Math.min(10, attempt.collectFailures - 1))
  attempt.nextCollectAt = now + Math.max(backoff, askedMs ?? 0)
}

/** Terminal and nothing left to do: every attempt released, every notification delivered or dead. */
export function isSettled(draft: Draft): boolean {
  return (
    isTerminal(draft.status) &&
    draft.attempts.every(attempt => isEnded(attempt.state) && attempt.release !== 'open') &&
    (draft.webhook?.queue ?? []).every(entry => entry.state !== 'waiting')
  )
}
