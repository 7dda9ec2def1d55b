import {
  abandon,
  adopt,
  confirmEnd,
  confirmRelease,
  endCollected,
  observe,
  takePending,
  takeUpload,
} from './attempt.ts'
import { type AttemptDraft, activeAttempts, type Draft, decide, draftOf, seconds } from './draft.ts'
import type { Effect, PredictionEvent } from './events.ts'
import { createFailure, type Failure, invariant } from './failure.ts'
import {
  collectAgain,
  collectsFirst,
  failedLooks,
  findNext,
  follow,
  followAt,
  inspectsFirst,
  isSettled,
  lookEndsAt,
  looksFirst,
  orphanedAt,
  pollAgain,
  pollAnew,
  pollNext,
} from './follow.ts'
import { notified, notifyAt, queueEnd, queueLogs, queueNotification, resend, sendNotifications } from './notify.ts'
import { addAttempt, mayHedge, placeWaiting, planNext, setBackoff } from './planning.ts'
import type { Policy } from './policy.ts'
import { isEnded, isTerminal, type PredictionRecord, type PredictionStatus } from './prediction.ts'
import { takeSetBack } from './set-back.ts'
import { type Timer, timersOf } from './timers.ts'
import type { World } from './world.ts'

/** What one event leads to. */
export interface Step {
  readonly record: PredictionRecord
  /** To be begun after `record` is stored. */
  readonly effects: readonly Effect[]
  /** When to step again at the latest; null only when settled. That every open record has one is why nothing hangs. */
  readonly nextAt: number | null
  /** Places and money that this step takes; the store checks them in the transaction that writes the record. */
  readonly reservations: readonly Taken[]
}

/** A place on a deployment, and the worst-case cost of the attempt in USD. */
export interface Taken {
  readonly deployment: string
  readonly amount: number
}

/** A record waiting for a place looks again this often; engines wake it earlier when a place becomes free. */
const placeEveryMs = 1_000

/**
 * Advances a prediction: takes in one event, then decides what must happen now. Pure: the same arguments give the same
 * answer. Answers that nobody waits for change nothing, except that a handle is always adopted or cancelled, and a
 * terminal status never changes. Without the lease (`world.mayBegin` false) facts are taken in and terminal statuses
 * set, but nothing is begun: the record is due at once for whoever may.
 */
export function step(
  record: PredictionRecord,
  event: PredictionEvent,
  now: number,
  policy: Policy,
  world: World,
): Step {
  const draft = draftOf(record)
  takeSetBack(draft, now)
  takeIn(draft, event, now, world)
  noteFailures(record, draft, now, policy, world)
  takeInOrphans(draft, now, world)
  noteWork(draft, now, world)
  endWhatIsOver(draft, now, world)
  const unseen = failedLook(record, event)
  for (const attempt of draft.attempts) if (attempt.id !== unseen) runTimers(draft, attempt, now, policy, world)
  const effects: Effect[] = []
  const placesBefore = new Set(draft.attempts.filter(attempt => attempt.state === 'planned').map(attempt => attempt.id))
  let planAt = Infinity
  if (world.mayBegin) {
    planAt = plan(draft, now, policy, world)
    for (const attempt of draft.attempts) {
      if (attempt.state === 'planned') {
        placesBefore.add(attempt.id)
        placeWaiting(draft, attempt, now, policy, world)
      }
      effects.push(...follow(draft, attempt, now, policy, world))
    }
    // Giving up inside `follow` may have ended the last attempt: what comes next is planned by the next step.
    if (!isTerminal(draft.status) && activeAttempts(draft).length === 0 && planAt === Infinity) planAt = now
  }
  showProgress(draft)
  queueLogs(record, draft, now, world)
  if (world.mayBegin) effects.push(...sendNotifications(draft, now, world))
  draft.settledAt = isSettled(draft) ? (draft.settledAt ?? now) : null
  return {
    record: draft,
    effects,
    nextAt: draft.settledAt !== null ? null : nextAt(draft, now, policy, world, planAt),
    reservations: draft.attempts
      .filter(attempt => placesBefore.has(attempt.id) && attempt.state === 'submitting')
      .map(({ deployment, reserved }) => ({ deployment, amount: reserved })),
  }
}

function takeIn(draft: Draft, event: PredictionEvent, now: number, world: World): void {
  switch (event.type) {
    case 'timePassed':
      return
    case 'cancelRequested':
      if (!isTerminal(draft.status)) draft.cancelRequestedAt ??= now
      return
    case 'resendRequested':
      return resend(draft, now)
    case 'notified':
      return notified(draft, event.notification, event.effect, event.delivered, now)
  }
  const attempt = draft.attempts.find(candidate => candidate.id === event.attempt)
  invariant(attempt !== undefined, `no attempt ${event.attempt} in prediction ${draft.id}`)
  if (event.type === 'heard') {
    adopt(draft, attempt, now, event.handle)
    return observe(draft, attempt, now, event.seen)
  }
  const asked = attempt.pending.find(({ id }) => id === event.effect)
  const awaited = takePending(attempt, event.effect)
  const pollMs = world.deployments[attempt.deployment]?.pollMs ?? 1_000
  switch (event.type) {
    case 'started':
      if (attempt.handle !== null) return
      adopt(draft, attempt, now, event.handle)
      if (event.seen !== null) observe(draft, attempt, now, event.seen)
      return
    case 'found': {
      if (awaited) findNext(attempt, now, true)
      const [run] = event.runs
      if (run === undefined) return noteAbsent(attempt, now, world, awaited)
      if (attempt.handle !== null) return
      adopt(draft, attempt, now, run.handle)
      if (run.seen !== undefined) observe(draft, attempt, now, { observation: run.seen, cost: run.cost ?? null })
      return
    }
    case 'startRejected':
      if (!awaited || attempt.handle !== null) return
      return confirmEnd(attempt, now, 'failed', event.failure)
    case 'startUnknown':
      if (!awaited || attempt.handle !== null) return
      return loseStart(draft, attempt, now, event.failure)
    case 'findFailed':
      if (awaited) findNext(attempt, now, false)
      return
    case 'observed':
      if (!awaited) return
      noteSight(draft, attempt, now)
      pollNext(attempt, now, pollMs)
      return observe(draft, attempt, now, event.seen)
    case 'pollFailed':
      if (event.cutOff === true && asked !== undefined && pollAnew(attempt, now, asked.at)) return
      if (awaited) pollAgain(attempt, now, pollMs, event.failure.retryAfterMs)
      if (awaited && attempt.pollFailures === failedLooks)
        decide(draft, now, attempt, 'out of sight', `${failedLooks} polls in a row failed. ${event.failure.message}`)
      return
    case 'inspected':
      if (!awaited) return
      attempt.inspectedAt = now
      attempt.health = event.health
      if (event.upload !== null) takeUpload(draft, attempt, now, event.upload)
      return
    case 'collected':
      if (!awaited || isTerminal(draft.status) || attempt.state !== 'collecting') return
      attempt.output = event.output
      return endCollected(attempt, now, 'won', null)
    case 'collectFailed':
      if (!awaited || attempt.state !== 'collecting') return
      if (mayPass(event.failure)) return collectAgain(attempt, now, event.failure.retryAfterMs, event.broughtMore)
      return endCollected(attempt, now, 'failed', event.failure)
    case 'cancelAnswered':
      if (!awaited || attempt.release !== 'open') return
      if (event.answer === 'ended' && attempt.state === 'collecting') return confirmRelease(attempt)
      if (event.answer === 'ended') confirmEnd(attempt, now, 'failed', attempt.failure)
      if (event.answer === 'impossible') attempt.nextCancelAt = null
      return
    default:
      event satisfies never
  }
}

/** The provider answers again after a time of failing polls. */
function noteSight(draft: Draft, attempt: AttemptDraft, now: number): void {
  if (attempt.pollFailures < failedLooks) return
  decide(
    draft,
    now,
    attempt,
    'in sight again',
    `The provider answers again after ${attempt.pollFailures} failed polls.`,
  )
}

/** Where `find` is exact, not finding a run is as sure as a refusal: nothing was started. */
function noteAbsent(attempt: AttemptDraft, now: number, world: World, awaited: boolean): void {
  if (!awaited || attempt.state !== 'unknown' || !world.deployments[attempt.deployment]?.findIsExact) return
  confirmEnd(attempt, now, 'failed', createFailure('worker_lost', 'The start was cut off before anything ran.'))
}

/** A download that failed on the way may work a moment later; a wrong, missing or oversized file will not. */
function mayPass(failure: Failure): boolean {
  return failure.code === 'provider_unreachable' || failure.code === 'provider_error' || failure.code === 'rate_limited'
}

/** Attempts that this event ended: said in the account, and the next try backs off. */
function noteFailures(before: PredictionRecord, draft: Draft, now: number, policy: Policy, world: World): void {
  for (const attempt of draft.attempts) {
    const earlier = before.attempts.find(candidate => candidate.id === attempt.id)
    if (!isEnded(attempt.state) || attempt.failure === null || earlier === undefined || isEnded(earlier.state)) continue
    if (attempt.abandoned !== null) {
      decide(draft, now, attempt, `attempt ${attempt.number} ended`, 'The provider confirmed its end.')
      continue
    }
    decide(
      draft,
      now,
      attempt,
      `attempt ${attempt.number} ${attempt.state}`,
      `${attempt.failure.code}: ${attempt.failure.message}`,
    )
    setBackoff(draft, now, attempt.failure, policy, world)
  }
}

function loseStart(draft: Draft, attempt: AttemptDraft, now: number, failure: Failure): void {
  attempt.state = 'unknown'
  attempt.unknownSince = now
  attempt.nextFindAt = now
  decide(
    draft,
    now,
    attempt,
    'start unknown',
    `${failure.message} The run is looked for before anything is started again.`,
  )
}

/** Effects whose process is gone are answered here: a start as unknown, everything else by asking again. */
function takeInOrphans(draft: Draft, now: number, world: World): void {
  if (!world.mayBegin) return
  for (const attempt of draft.attempts) {
    for (const pending of attempt.pending) {
      if (orphanedAt(pending, world.deployments[attempt.deployment], world) > now) continue
      takePending(attempt, pending.id)
      if (pending.kind === 'start' && attempt.handle === null && attempt.state === 'submitting') {
        loseStart(
          draft,
          attempt,
          now,
          createFailure('start_unknown', 'The process that sent the start ended before it could store the answer.'),
        )
      }
      if (pending.kind === 'collect') {
        attempt.nextCollectAt = now
        attempt.collectSince = now
      }
    }
  }
}

/** The first sign of work makes a waiting prediction `processing`; a run that shows up after the end changes nothing. */
function noteWork(draft: Draft, now: number, world: World): void {
  if (draft.status !== 'starting' || draft.attempts.every(attempt => attempt.runningAt === null)) return
  draft.startedAt = now
  draft.status = 'processing'
  queueNotification(draft, 'start', now, world)
}

/** Sets the terminal status when one is due, first by verified output, then by cancel, then by deadline. */
function endWhatIsOver(draft: Draft, now: number, world: World): void {
  if (!isTerminal(draft.status)) {
    const winner = draft.attempts.find(attempt => attempt.state === 'won')
    if (winner !== undefined) {
      draft.output = winner.output
      finish(draft, now, 'succeeded', null, world)
      decide(
        draft,
        now,
        winner,
        'succeeded',
        `Attempt ${winner.number} on ${winner.deployment} delivered a verified output after ${seconds(now - draft.createdAt)}.`,
      )
    } else if (draft.cancelRequestedAt !== null) {
      finish(draft, now, 'canceled', null, world)
      decide(draft, now, null, 'canceled', 'Cancelled on request.')
    } else if (now >= draft.deadlineAt) {
      endByDeadline(draft, now, world)
    }
  }
  if (!isTerminal(draft.status)) return
  for (const attempt of draft.attempts) {
    if (isEnded(attempt.state)) continue
    if (draft.status === 'succeeded') abandon(attempt, now, 'superseded', null)
    else if (draft.status === 'failed') abandon(attempt, now, 'failed', draft.failure)
    else abandon(attempt, now, 'canceled', null)
  }
}

function endByDeadline(draft: Draft, now: number, world: World): void {
  const allowed = seconds(draft.deadlineAt - draft.createdAt)
  if (draft.deadlineBy === 'client') {
    finish(draft, now, draft.startedAt === null ? 'aborted' : 'canceled', null, world)
    decide(draft, now, null, draft.status, `Cancel-After of ${allowed} passed.`)
    return
  }
  const active = activeAttempts(draft).at(-1)
  const where = active === undefined ? '' : ` Attempt ${active.number} on ${active.deployment} was ${active.state}.`
  finish(
    draft,
    now,
    'failed',
    createFailure('deadline_exceeded', `No verified output within the deadline of ${allowed}.${where}`),
    world,
  )
  decide(draft, now, active ?? null, 'failed', `The deadline of ${allowed} passed.`)
}

/** The one place where a prediction becomes terminal. */
function finish(draft: Draft, now: number, status: PredictionStatus, failure: Failure | null, world: World): void {
  invariant(!isTerminal(draft.status), `prediction ${draft.id} would end twice`)
  draft.status = status
  draft.failure = failure
  draft.completedAt = now
  draft.retryAt = null
  if (status === 'succeeded') draft.progress = { stage: null, fraction: 1 }
  queueEnd(draft, now, world)
}

/** The attempt that could not be looked at just now: that ends nothing, not even by a timer that waits. */
function failedLook(record: PredictionRecord, event: PredictionEvent): string | null {
  if (event.type !== 'pollFailed' && event.type !== 'findFailed') return null
  const attempt = record.attempts.find(({ id }) => id === event.attempt)
  return attempt?.pending.some(({ id }) => id === event.effect) ? event.attempt : null
}

/** Policy's clocks on one attempt: a stall is hedged or ends like every other timer, by giving notice. */
function runTimers(draft: Draft, attempt: AttemptDraft, now: number, policy: Policy, world: World): void {
  if (isTerminal(draft.status) || attempt.abandoned !== null) return
  const timers = timersOf(attempt, policy, world.deployments[attempt.deployment])
  const allDue = timers.filter(timer => timer.at <= now && !isHeldBack(attempt, timer, now))
  // What ends the attempt anyway is not hedged first.
  const due = allDue.find(timer => !isStall(timer)) ?? allDue[0]
  if (due === undefined || looksFirst(attempt, now, world)) return
  const { health, hint } = attempt
  const words = [due.failure.message, health, hint?.message].filter(text => text != null)
  const failure = { ...due.failure, ...hint, message: words.join(' ') }
  if (isStall(due) && attempt.hedgedAt === null && mayHedge(draft, policy)) {
    attempt.hedgedAt = now
    decide(
      draft,
      now,
      attempt,
      'hedged',
      `${failure.message} Another attempt starts beside it; the first verified output wins.`,
    )
    return
  }
  decide(draft, now, attempt, 'given notice', failure.message)
  setBackoff(draft, now, failure, policy, world)
  abandon(attempt, now, 'failed', failure)
}

function isStall({ name }: Timer): boolean {
  return name === 'stall' || name === 'lastStage'
}

/** Something must be done before this timer may end the attempt. */
function isHeldBack(attempt: AttemptDraft, timer: Timer, now: number): boolean {
  return inspectsFirst(attempt, timer) || collectsFirst(attempt, timer, now)
}

/** Plans the next attempt where none works; answers when to look again. */
function plan(draft: Draft, now: number, policy: Policy, world: World): number {
  if (isTerminal(draft.status)) return Infinity
  const active = activeAttempts(draft)
  const hedging = active.length > 0 && active.every(attempt => attempt.hedgedAt !== null) && mayHedge(draft, policy)
  if (active.length > 0 && !hedging) return Infinity
  const next = planNext(draft, now, policy, world)
  switch (next.kind) {
    case 'attempt':
      addAttempt(draft, now, policy, world, next)
      return Infinity
    case 'wait':
      return next.until
    case 'fail':
      if (hedging) return Infinity
      finish(draft, now, 'failed', next.failure, world)
      decide(draft, now, null, 'failed', `${next.failure.code}: ${next.failure.message}`)
      endWhatIsOver(draft, now, world)
      return Infinity
  }
}

/** Progress of the newest attempt that works. */
function showProgress(draft: Draft): void {
  const shown = activeAttempts(draft).at(-1)
  if (shown !== undefined)
    draft.progress = shown.state === 'collecting' ? { stage: 'collect', fraction: null } : shown.progress
}

function nextAt(draft: Draft, now: number, policy: Policy, world: World, planAt: number): number {
  if (!world.mayBegin) return now
  let at = Math.min(planAt, notifyAt(draft))
  if (!isTerminal(draft.status)) at = Math.min(at, draft.deadlineAt)
  for (const attempt of draft.attempts) {
    at = Math.min(at, followAt(attempt, policy, world))
    if (attempt.abandoned === null && !isTerminal(draft.status))
      for (const timer of timersOf(attempt, policy, world.deployments[attempt.deployment]))
        if (timer.at > now || !(looksFirst(attempt, now, world) || isHeldBack(attempt, timer, now)))
          at = Math.min(at, timer.at)
        else if (lookEndsAt(attempt, world.deployments[attempt.deployment]) > now)
          at = Math.min(at, lookEndsAt(attempt, world.deployments[attempt.deployment]))
    if (attempt.state === 'planned')
      at = Math.min(at, Math.max(now + placeEveryMs, world.deployments[attempt.deployment]?.closedUntil ?? 0))
  }
  invariant(Number.isFinite(at), `prediction ${draft.id} is open but waits for nothing`)
  return Math.max(at, now)
}
