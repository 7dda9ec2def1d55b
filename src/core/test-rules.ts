import { isDeepStrictEqual } from 'node:util'
import type { PredictionEvent } from './events.ts'
import { collectsFirst, inspectsFirst } from './follow.ts'
import type { Policy } from './policy.ts'
import { type Attempt, isEnded, isTerminal, type PredictionRecord, type PredictionStatus } from './prediction.ts'
import type { Step } from './step.ts'
import { timersOf } from './timers.ts'
import type { World } from './world.ts'

/** One step with everything that went into it. */
export interface TakenStep {
  readonly before: PredictionRecord
  readonly event: PredictionEvent
  readonly now: number
  readonly policy: Policy
  readonly world: World
  readonly step: Step
  /** What the step would have been if only time had passed. */
  readonly otherwise: () => Step
  /** Whether somebody waited for the event; cancels and webhooks are always waited for. */
  readonly awaited: boolean
}

/** Checks the rules of the core on steps of one prediction, taken in order; throws the first that is broken. */
export function createRuleBook(): (taken: TakenStep) => void {
  const sent = new Set<string>()
  const refused = new Set<string>()
  const saidToBeOver = new Set<string>()
  return taken => {
    noteWhatWasSaid(taken, refused, saidToBeOver)
    for (const [rule, holds] of Object.entries(rules)) {
      if (!holds(taken, { sent, refused, saidToBeOver }))
        throw new Error(`Broken: ${rule}. At ${taken.now}: ${JSON.stringify(taken.event)}`)
    }
    for (const effect of taken.step.effects) if (effect.type === 'start') sent.add(effect.attempt)
  }
}

/** What the providers were told and said in all earlier steps, kept apart from the record. */
interface Witness {
  readonly sent: ReadonlySet<string>
  readonly refused: ReadonlySet<string>
  readonly saidToBeOver: ReadonlySet<string>
}

function noteWhatWasSaid({ event, awaited }: TakenStep, refused: Set<string>, saidToBeOver: Set<string>): void {
  if (!('attempt' in event)) return
  if (event.type === 'startRejected' && awaited) refused.add(event.attempt)
  if (event.type === 'cancelAnswered' && event.answer === 'ended') saidToBeOver.add(event.attempt)
  if (event.type === 'collected') saidToBeOver.add(event.attempt)
  const seen =
    event.type === 'found'
      ? event.runs[0]?.seen
      : 'seen' in event && event.seen !== null
        ? event.seen.observation
        : null
  if (seen != null && ['succeeded', 'failed', 'canceled', 'gone'].includes(seen.status)) saidToBeOver.add(event.attempt)
}

const rules: { readonly [rule: string]: (taken: TakenStep, witness: Witness) => boolean } = {
  '1: a terminal status never changes, nor anything that the user reads with it': ({ before, step }) =>
    !isTerminal(before.status) || isDeepStrictEqual(whatUsersRead(before), whatUsersRead(step.record)),
  '1: every prediction is terminal at its deadline': ({ step, now }) =>
    isTerminal(step.record.status) || now < step.record.deadlineAt,
  '1: a live prediction is stepped at its deadline at the latest': ({ step }) =>
    isTerminal(step.record.status) || (step.nextAt !== null && step.nextAt <= step.record.deadlineAt),
  '1: each terminal status has its reason': ({ step: { record } }) => hasReason(record),
  '2: status never goes backwards': ({ before, step }) =>
    statusRank[step.record.status] >= statusRank[before.status] &&
    (isTerminal(step.record.status) || (step.record.status === 'processing') === (step.record.startedAt !== null)),
  '2: attempts go forward, and ended ones stay as they ended': ({ before, step }) =>
    pairs(before, step.record).every(([earlier, later]) =>
      isEnded(earlier.state)
        ? later.state === earlier.state && later.endedAt === earlier.endedAt
        : isEnded(later.state) || stateRank(later) >= stateRank(earlier),
    ),
  '3: an output exists with success only, and is the one that its attempt collected': ({ step: { record } }) => {
    const winners = record.attempts.filter(attempt => attempt.state === 'won')
    if (record.status !== 'succeeded') return record.output === null && winners.length === 0
    return winners.length === 1 && record.output !== null && isDeepStrictEqual(record.output, winners[0]?.output)
  },
  '3: a prediction does not fail before its deadline while an output is collected': ({
    before,
    event,
    now,
    policy,
    step,
    world,
  }) =>
    isTerminal(before.status) ||
    step.record.status !== 'failed' ||
    now >= before.deadlineAt ||
    before.attempts.every(attempt => {
      if (attempt.state !== 'collecting') return true
      const failed = event.type === 'collectFailed' && event.attempt === attempt.id
      const tooLate = now >= (attempt.collectSince ?? attempt.collectingAt ?? 0) + policy.collectMs
      return failed || tooLate || !(attempt.deployment in world.deployments)
    }),
  '4: an effect is stored as pending with its step, one of a kind for each attempt': ({ step: { record, effects } }) =>
    effects.every(effect =>
      effect.type === 'notify'
        ? record.webhook?.queue.some(entry => entry.pending?.id === effect.effect)
        : record.attempts.some(
            attempt =>
              attempt.id === effect.attempt &&
              attempt.pending.filter(({ kind }) => kind === effect.type).length === 1 &&
              attempt.pending.some(({ id, kind }) => id === effect.effect && kind === effect.type),
          ),
    ),
  '4: an attempt is sent once, from its stored intent': (
    { before, step: { record, effects, reservations } },
    witness,
  ) => {
    const starts = effects.filter(effect => effect.type === 'start')
    return (
      isDeepStrictEqual(
        starts.map(({ deployment }) => deployment),
        reservations.map(({ deployment }) => deployment),
      ) &&
      starts.every(
        ({ attempt: id }) =>
          !witness.sent.has(id) &&
          stateOf(record, id) === 'submitting' &&
          [undefined, 'planned'].includes(stateOf(before, id)),
      )
    )
  },
  '4: nothing begins without the lease': ({ step, world }) =>
    world.mayBegin || (step.effects.length === 0 && step.reservations.length === 0),
  '5: a poll or search that failed ends nothing': ({ event, step, otherwise }) =>
    (event.type !== 'pollFailed' && event.type !== 'findFailed') ||
    isDeepStrictEqual(step.record.attempts.map(standing), otherwise().record.attempts.map(standing)),
  '6: a sent attempt is open until the provider ended or refused it, or until giving up is recorded': (
    { step: { record } },
    { sent, refused, saidToBeOver },
  ) =>
    record.attempts.every(attempt => {
      const { id, state, handle, release } = attempt
      if (release === 'none') return handle === null && (!isEnded(state) || !sent.has(id) || refused.has(id))
      if (release === 'open') return handle !== null
      if (release === 'confirmed') return saidToBeOver.has(id)
      return isEnded(state) && record.decisions.some(({ what }) => what === 'given up')
    }),
  '6: release only goes from open to confirmed or given up': ({ before, step }) =>
    pairs(before, step.record).every(
      ([earlier, later]) =>
        earlier.release === later.release ||
        earlier.release === 'open' ||
        (earlier.release === 'none' && later.handle !== null) ||
        (earlier.release === 'none' && later.release === 'given_up') ||
        (earlier.release === 'given_up' && earlier.handle === null && later.handle !== null),
    ),
  '6: a run that turns up when nobody wants it any more is cancelled': ({ before, step, world }) =>
    pairs(before, step.record).every(([earlier, later]) => {
      const turnedUp = earlier.handle === null && later.handle !== null
      const unwanted = isEnded(later.state) || later.abandoned !== null
      const canCancel = world.mayBegin && world.deployments[later.deployment]?.canCancel === true
      if (!turnedUp || !unwanted || !canCancel || later.release === 'confirmed') return true
      return step.effects.some(effect => effect.type === 'cancel' && effect.attempt === later.id)
    }),
  '6: settled means that nothing is left, and nothing else does': ({ step: { record, effects, nextAt } }) => {
    const left =
      !isTerminal(record.status) ||
      record.attempts.some(attempt => !isEnded(attempt.state) || attempt.release === 'open') ||
      (record.webhook?.queue ?? []).some(({ state }) => state === 'waiting')
    return (record.settledAt === null) === left && (nextAt === null) === !left && (left || effects.length === 0)
  },
  '7: attempts stay within the policy': ({ before, step: { record }, policy }) => {
    const added = record.attempts.length - before.attempts.length
    if (added === 0) return true
    const counted = record.attempts.filter(
      ({ release, failure }) => !(release === 'none' && failure?.code === 'rate_limited'),
    )
    return added === 1 && counted.length <= policy.attempts && record.attempts.length <= 20 + policy.attempts
  },
  '7: no more attempts work at the same time than hedges allow': ({ step: { record }, policy }) =>
    record.attempts.filter(({ state, abandoned }) => !isEnded(state) && abandoned === null && state !== 'collecting')
      .length <=
    1 + policy.hedges,
  '7: reserved and spent money stay within the budget': ({ before, step: { record }, policy }) => {
    if (policy.budget === null || record.attempts.length === before.attempts.length) return true
    return record.attempts.reduce((sum, attempt) => sum + owed(attempt), 0) <= policy.budget + 1e-9
  },
  '8: an answer that nobody waits for changes nothing, but that a handle is kept': ({
    before,
    event,
    step,
    otherwise,
    awaited,
  }) => {
    if (awaited || event.type === 'timePassed') return true
    const brings =
      (event.type === 'started' || (event.type === 'found' && event.runs.length > 0)) &&
      before.attempts.find(({ id }) => id === event.attempt)?.handle === null
    return brings || isDeepStrictEqual(step, otherwise())
  },
  'a timer that is due waits for one look, not for more': ({
    event,
    step: { record },
    now,
    policy,
    world,
    awaited,
  }) => {
    if (!awaited || isTerminal(record.status) || (event.type !== 'observed' && event.type !== 'found')) return true
    const attempt = record.attempts.find(({ id }) => id === event.attempt)
    return (
      attempt === undefined ||
      attempt.abandoned !== null ||
      timersOf(attempt, policy, world.deployments[attempt.deployment]).every(
        timer => timer.at > now || inspectsFirst(attempt, timer) || collectsFirst(attempt, timer, now),
      )
    )
  },
  'an attempt is not ended for want of its output while a collect of it is due that nobody has begun': ({
    before,
    event,
    step: { record },
    now,
    policy,
    world,
  }) =>
    event.type !== 'timePassed' ||
    before.attempts.every((attempt, index) => {
      const isEndedByTimer =
        attempt.state === 'collecting' &&
        record.attempts[index]?.failure?.code === 'output_lost' &&
        attempt.deployment in world.deployments
      const isDue = !attempt.pending.some(({ kind }) => kind === 'collect') && (attempt.nextCollectAt ?? 0) <= now
      const isLate = attempt.pending.some(
        ({ kind, at }) => kind === 'collect' && timersOf(attempt, policy, undefined).some(timer => timer.at <= at),
      )
      return !isEndedByTimer || !(isDue || isLate)
    }),
  'webhooks of the user go out one at a time and in order': ({ step: { record } }) => {
    const queue = record.webhook?.queue ?? []
    const first = queue.findIndex(({ state }) => state === 'waiting')
    return queue.every(
      ({ state, tries, pending }, index) =>
        tries <= 8 && (first < 0 || index <= first || (state === 'waiting' && tries === 0 && pending === null)),
    )
  },
  'an open record says when to step it again, and not in the past': ({ step, now }) =>
    step.nextAt === null || (Number.isFinite(step.nextAt) && step.nextAt >= now),
}

const statusRank: { readonly [status in PredictionStatus]: number } = {
  starting: 0,
  processing: 1,
  succeeded: 2,
  failed: 2,
  canceled: 2,
  aborted: 2,
}

function stateRank(attempt: Attempt): number {
  return ['planned', 'submitting', 'unknown', 'queued', 'booting', 'running', 'collecting'].indexOf(attempt.state)
}

function whatUsersRead(record: PredictionRecord): Partial<PredictionRecord> {
  const { status, output, failure, startedAt, completedAt, progress, cancelRequestedAt } = record
  return { status, output, failure, startedAt, completedAt, progress, cancelRequestedAt }
}

function hasReason(record: PredictionRecord): boolean {
  if ((record.completedAt !== null) !== isTerminal(record.status)) return false
  if ((record.failure !== null) !== (record.status === 'failed')) return false
  const byClient = record.deadlineBy === 'client' && (record.completedAt ?? 0) >= record.deadlineAt
  if (record.status === 'canceled') return record.cancelRequestedAt !== null || (byClient && record.startedAt !== null)
  if (record.status === 'aborted') return byClient && record.startedAt === null
  return true
}

/** The same attempt before and after; an attempt never leaves its record, nor, once it was sent, its deployment. */
function pairs(before: PredictionRecord, after: PredictionRecord): (readonly [Attempt, Attempt])[] {
  return before.attempts.map((earlier, index) => {
    const later = after.attempts[index]
    const isMoved = later?.deployment !== earlier.deployment && earlier.state !== 'planned'
    if (later?.id !== earlier.id || isMoved) throw new Error('an attempt vanished')
    return [earlier, later] as const
  })
}

function stateOf(record: PredictionRecord, id: string): Attempt['state'] | undefined {
  return record.attempts.find(attempt => attempt.id === id)?.state
}

function standing({ state, release, abandoned }: Attempt): Partial<Attempt> {
  return { state, release, abandoned }
}

/** Worst case while it may still run somewhere, then what it cost. */
function owed(attempt: Attempt): number {
  if (attempt.state !== 'planned' && attempt.release === 'none' && isEnded(attempt.state)) return 0
  if (attempt.release === 'confirmed') return attempt.cost?.amount ?? attempt.reserved
  return Math.max(attempt.cost?.amount ?? 0, attempt.reserved)
}
