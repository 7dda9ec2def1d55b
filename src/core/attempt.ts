import { type AttemptDraft, type Draft, decide, seconds } from './draft.ts'
import type { Seen } from './events.ts'
import { createFailure, type Failure } from './failure.ts'
import type { Json } from './json.ts'
import type { Observation, ObservedStatus } from './observation.ts'
import { toPlainWords } from './plain-words.ts'
import {
  type Abandoned,
  type EffectKind,
  type EndedAttemptState,
  isEnded,
  isTerminal,
  type OutputReference,
} from './prediction.ts'

/**
 * How one attempt moves.
 *
 *   planned ── start intended ──> submitting ── accepted ──> queued ──> booting ──> running ──> collecting ──> won
 *                                     └── answer lost ──> unknown ── found or heard ──┘
 *
 * Ranked by state, not by arrival: an observation that lies behind the attempt's state changes nothing but the stall
 * watch. From every live state an attempt can end as failed, lost, canceled or superseded; an ended one never lives
 * again, but a handle that shows up later is kept so that the run behind it is cancelled and its cost counted.
 * An *abandoned* attempt keeps its state until the provider confirms its end; should it succeed before that, the notice
 * is taken back and its output collected.
 */
const rank: { readonly [status in ObservedStatus]?: number } = { queued: 1, booting: 2, running: 3 }
const rankOfState: { readonly [state: string]: number } = {
  planned: 0,
  submitting: 0,
  unknown: 0,
  queued: 1,
  booting: 2,
  running: 3,
  collecting: 4,
}

/** A provider may answer 404 for a run that it accepted a moment ago (replication lag); this long that means nothing. */
export const goneGraceMs = 15_000

/** A fall of progress to this fraction or less counts as beginning again. */
const restartFraction = 0.1

export function createAttempt(id: string, number: number, deployment: string, now: number): AttemptDraft {
  return {
    id,
    number,
    deployment,
    state: 'planned',
    plannedAt: now,
    submittedAt: null,
    queuedAt: null,
    bootingAt: null,
    runningAt: null,
    collectingAt: null,
    endedAt: null,
    handle: null,
    progress: null,
    word: null,
    changedAt: now,
    logLength: 0,
    inspectedAt: null,
    health: null,
    hedgedAt: null,
    restarts: 0,
    pending: [],
    nextPollAt: null,
    pollFailures: 0,
    abandoned: null,
    cancelTries: 0,
    nextCancelAt: null,
    unknownSince: null,
    nextFindAt: null,
    searchedAt: null,
    outputs: null,
    collectFailures: 0,
    nextCollectAt: null,
    output: null,
    failure: null,
    cost: null,
    reserved: 0,
    release: 'none',
  }
}

/** Takes the pending effect with this id off the attempt; false when nobody waits for it any more. */
export function takePending(attempt: AttemptDraft, effect: string): boolean {
  const rest = attempt.pending.filter(entry => entry.id !== effect)
  if (rest.length === attempt.pending.length) return false
  attempt.pending = rest
  return true
}

export function isPending(attempt: AttemptDraft, kind: EffectKind): boolean {
  return attempt.pending.some(entry => entry.kind === kind)
}

/** The one place where an attempt ends. */
export function endAttempt(
  attempt: AttemptDraft,
  now: number,
  state: EndedAttemptState,
  failure: Failure | null,
): void {
  // It has uploaded, and nobody ever learned by which name its provider knows it.
  if (attempt.state === 'collecting' && attempt.handle === null) attempt.release = 'given_up'
  attempt.state = state
  attempt.endedAt = now
  attempt.failure = failure
  attempt.pending = attempt.pending.filter(entry => entry.kind === 'cancel' || entry.kind === 'poll')
  attempt.nextCollectAt = null
  attempt.nextFindAt = null
  attempt.outputs = attempt.outputs?.map(withoutBytes) ?? null
}

/** An inline output is stored by now, or given up; in the record, which is always read and written whole, it was a guest. */
function withoutBytes(output: OutputReference): OutputReference {
  return output.kind === 'data' ? { kind: 'data', uri: 'data:,' } : output
}

/** We want it to end: for an attempt that never reached the provider that is its end, otherwise the provider must confirm. */
export function abandon(attempt: AttemptDraft, now: number, as: Abandoned['as'], failure: Failure | null): void {
  if (isEnded(attempt.state) || attempt.abandoned !== null) return
  if (attempt.state === 'planned') return endAttempt(attempt, now, as, failure)
  attempt.abandoned = { at: now, as, failure }
  attempt.nextCancelAt = now
  if (attempt.state === 'collecting') endCollected(attempt, now, as, failure)
}

/** The provider confirmed that nothing runs any more. An abandoned attempt ends as what it was abandoned for. */
export function confirmEnd(
  attempt: AttemptDraft,
  now: number,
  state: EndedAttemptState,
  failure: Failure | null,
): void {
  if (attempt.release === 'open') attempt.release = 'confirmed'
  attempt.nextPollAt = null
  attempt.nextCancelAt = null
  attempt.pending = []
  if (isEnded(attempt.state)) return
  const { abandoned } = attempt
  if (abandoned === null) endAttempt(attempt, now, state, failure)
  else endAttempt(attempt, now, abandoned.as, abandoned.failure)
}

/** The provider knows the run: from now on it is followed until its end is confirmed. */
export function adopt(draft: Draft, attempt: AttemptDraft, now: number, handle: Json): void {
  if (attempt.handle !== null) return
  attempt.handle = handle
  attempt.release = 'open'
  attempt.nextPollAt = now
  attempt.pollFailures = 0
  attempt.pending = attempt.pending.filter(entry => entry.kind !== 'start' && entry.kind !== 'find')
  // Only now can a run that nobody wants be told: its time to confirm the end counts from here.
  if (isEnded(attempt.state) || attempt.abandoned !== null) {
    attempt.abandoned = { as: 'failed', failure: attempt.failure, ...attempt.abandoned, at: now }
    attempt.nextCancelAt = now
  }
  if (isEnded(attempt.state)) {
    decide(
      draft,
      now,
      attempt,
      'late run found',
      'A run that was given up turned out to exist; it is cancelled and its cost counted.',
    )
    return
  }
  if (attempt.unknownSince !== null)
    decide(
      draft,
      now,
      attempt,
      'unknown start found',
      `The run was found ${seconds(now - attempt.unknownSince)} after its answer was lost; ${sayAdopted(draft, attempt)}.`,
    )
  attempt.unknownSince = null
  attempt.nextFindAt = null
  enter(attempt, now, 'queued')
}

/** What is done with a run that was found again, and which attempts were started because it was not found earlier. */
function sayAdopted(draft: Draft, attempt: AttemptDraft): string {
  const later = draft.attempts
    .filter(({ number, submittedAt }) => number > attempt.number && submittedAt !== null)
    .filter(({ state, release }) => !(isEnded(state) && release === 'none'))
    .map(({ number }) => `attempt ${number}`)
  const become = attempt.abandoned === null ? 'it is adopted' : 'it is cancelled unless it delivers first'
  if (later.length === 0) return `${become}, and nothing else was started meanwhile`
  return `${become}; ${later.join(' and ')} ${later.length === 1 ? 'was' : 'were'} started meanwhile, and each may cost money`
}

/** Moves forward to a stage, never back, and stamps when it was first reached. */
function enter(attempt: AttemptDraft, now: number, state: 'queued' | 'booting' | 'running'): void {
  if ((rankOfState[state] ?? 0) <= (rankOfState[attempt.state] ?? 9)) return
  attempt.state = state
  attempt.changedAt = now
  if (state === 'queued') attempt.queuedAt = now
  if (state === 'booting') attempt.bootingAt = now
  if (state === 'running') attempt.runningAt = now
}

/** Takes in what the provider said. */
export function observe(
  draft: Draft,
  attempt: AttemptDraft,
  now: number,
  { cost, observation: told, upload }: Seen,
): void {
  const observation = inPlainWords(told)
  const seen: Seen = { cost, observation, ...(upload === undefined ? {} : { upload }) }
  if (seen.cost !== null) attempt.cost = seen.cost
  if (attempt.release === 'confirmed') return
  attempt.hint = observation.hint ?? null
  if (attempt.state === 'collecting' && isOver(observation.status)) return confirmRelease(attempt)
  watchForChange(draft, attempt, now, seen)
  if (upload !== undefined && takeUpload(draft, attempt, now, upload)) return confirmRelease(attempt)
  switch (observation.status) {
    case 'queued':
    case 'booting':
    case 'running':
      if (!isEnded(attempt.state)) enter(attempt, now, observation.status)
      return
    case 'unclear':
      return
    case 'succeeded':
      return observeSuccess(draft, attempt, now, seen)
    case 'failed':
      return confirmEnd(
        attempt,
        now,
        'failed',
        observation.failure ??
          createFailure('model_error', `The provider reports "${observation.word}" without saying why.`),
      )
    case 'canceled':
      return confirmEnd(
        attempt,
        now,
        'failed',
        observation.failure ??
          createFailure(
            'provider_error',
            `The run was cancelled at the provider ("${observation.word}"), not by Surefoot.`,
          ),
      )
    case 'gone':
      return observeGone(draft, attempt, now)
  }
}

/** A provider's status word and its model's stages end up in lists, pages and terminals. */
function inPlainWords(observation: Observation): Observation {
  const { word, progress } = observation
  const stage = progress?.stage == null ? null : toPlainWords(progress.stage, 100)
  return {
    ...observation,
    word: toPlainWords(word, 100),
    ...(progress == null ? {} : { progress: { ...progress, stage } }),
  }
}

const overStatuses: ReadonlySet<ObservedStatus> = new Set(['succeeded', 'failed', 'canceled', 'gone'])

/** Nothing runs there any more. */
export function isOver(status: ObservedStatus): boolean {
  return overStatuses.has(status)
}

/** The run is over there while its output, found in our store, is still being verified: that decides how it ends. */
export function confirmRelease(attempt: AttemptDraft): void {
  attempt.release = 'confirmed'
  attempt.nextPollAt = null
  attempt.nextCancelAt = null
}

function observeSuccess(draft: Draft, attempt: AttemptDraft, now: number, { observation }: Seen): void {
  if (isEnded(attempt.state) || isTerminal(draft.status)) return confirmEnd(attempt, now, 'failed', null)
  const outputs = observation.outputs ?? []
  if (outputs.length === 0) {
    confirmEnd(
      attempt,
      now,
      'failed',
      createFailure('output_lost', `The provider reports "${observation.word}" but has no output.`),
    )
    return
  }
  beginCollecting(attempt, now, outputs)
  attempt.nextPollAt = null
  attempt.nextCancelAt = null
  attempt.release = 'confirmed'
  if (attempt.abandoned === null) return
  attempt.abandoned = null
  decide(
    draft,
    now,
    attempt,
    'late success',
    'The provider finished before the cancel took effect; its output is collected, first verified output wins.',
  )
}

/**
 * A kit has put the output into our store although the provider reports the run as going on, failed or lost: its status
 * lies, or its last message did not arrive. The output is collected, and what still runs is stopped once it is verified.
 * False where it comes too late.
 */
export function takeUpload(draft: Draft, attempt: AttemptDraft, now: number, upload: OutputReference): boolean {
  if (isEnded(attempt.state) || attempt.state === 'collecting' || isTerminal(draft.status)) return false
  beginCollecting(attempt, now, [upload])
  attempt.abandoned = null
  if (attempt.handle === null)
    decide(
      draft,
      now,
      attempt,
      'given up',
      'No handle is known by which the run could be asked for its end and its cost.',
    )
  const why = `The provider reports "${attempt.word ?? 'nothing'}", but the output has arrived in our store.`
  decide(draft, now, attempt, 'upload found', why)
  return true
}

function beginCollecting(attempt: AttemptDraft, now: number, outputs: readonly OutputReference[]): void {
  if (attempt.runningAt === null) attempt.runningAt = now
  attempt.state = 'collecting'
  attempt.collectingAt = now
  attempt.changedAt = now
  // The first is the one that is collected.
  attempt.outputs = outputs.slice(0, 1)
  attempt.nextCollectAt = now
}

/**
 * Ends an attempt on our side after its output was collected, or could not be. Where the provider has not said that the
 * run is over (see `takeUpload`), it is told to stop and followed until it says so.
 */
export function endCollected(
  attempt: AttemptDraft,
  now: number,
  state: EndedAttemptState,
  failure: Failure | null,
): void {
  if (attempt.release !== 'open') return confirmEnd(attempt, now, state, failure)
  endAttempt(attempt, now, state, failure)
  attempt.abandoned = { at: now, as: state === 'canceled' ? 'canceled' : 'superseded', failure }
  attempt.nextCancelAt = now
}

function observeGone(draft: Draft, attempt: AttemptDraft, now: number): void {
  if (attempt.submittedAt !== null && now - attempt.submittedAt < goneGraceMs) return
  decide(
    draft,
    now,
    attempt,
    'run lost',
    'The provider no longer knows the run, and the grace time after its start is over.',
  )
  confirmEnd(attempt, now, 'lost', createFailure('worker_lost', 'The provider no longer knows the run.'))
}

/** The stall watch sees any visible change; progress that falls back to its beginning is a restart. */
function watchForChange(draft: Draft, attempt: AttemptDraft, now: number, { observation }: Seen): void {
  const before = attempt.progress?.fraction ?? null
  const after = observation.progress?.fraction ?? null
  const behind = (rank[observation.status] ?? 9) < (rankOfState[attempt.state] ?? 0)
  const changed =
    observation.word !== attempt.word ||
    (observation.logLength ?? attempt.logLength) !== attempt.logLength ||
    (observation.progress != null &&
      (after !== before || observation.progress.stage !== (attempt.progress?.stage ?? null)))
  if (!changed) return
  if (
    observation.progress?.stage === attempt.progress?.stage &&
    before !== null &&
    after !== null &&
    after <= restartFraction &&
    before > 2 * restartFraction
  ) {
    attempt.restarts += 1
    decide(
      draft,
      now,
      attempt,
      'restarted',
      `Progress fell from ${Math.round(before * 100)} % to ${Math.round(after * 100)} %: the worker was preempted and began again.`,
    )
  }
  attempt.changedAt = now
  attempt.word = observation.word
  if (observation.logLength !== undefined) attempt.logLength = observation.logLength
  if (observation.progress != null && !behind) attempt.progress = observation.progress
}
