import type { Failure, FailureCode } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import {
  type Attempt,
  type EndedAttemptState,
  endedAttemptStates,
  isTerminal,
  type PredictionRecord,
  type PredictionStatus,
  verdictOf,
  type WebhookEvent,
} from '../core/prediction.ts'
import { isWarmUp } from '../core/warm-up.ts'
import type { Log } from './contract.ts'

/** What an operator should hear or count of a change of a record: each thing once, by whichever process wrote it. */
export type JournalEntry =
  | (OfAttempt & { readonly type: 'attemptPlanned'; readonly after: string | null })
  | (OfAttempt & { readonly type: 'attemptSent' })
  | (OfAttempt & { readonly type: 'startLost' })
  | (OfAttempt & { readonly type: 'attemptFailed'; readonly failure: Failure })
  | (OfAttempt & { readonly type: 'attemptEnded'; readonly ended: EndedAttempt })
  | (OfAttempt & { readonly type: 'attemptCharged'; readonly amount: number })
  | (OfAttempt & { readonly type: 'runUnconfirmed' })
  | (OfPrediction & { readonly type: 'predictionEnded'; readonly ended: EndedPrediction })
  | (OfPrediction & { readonly type: 'webhookDied'; readonly event: WebhookEvent; readonly tries: number })

interface OfPrediction {
  readonly prediction: string
  readonly model: string
  readonly purpose: Purpose
}

interface OfAttempt extends OfPrediction {
  readonly attempt: string
  readonly number: number
  readonly deployment: string
}

/** Who wanted a prediction: a caller; Surefoot, to keep a deployment warm; or Surefoot, to compare two. */
export type Purpose = 'caller' | 'warm-up' | 'shadow'

/** Milliseconds; null where the attempt never came to that stage, or did not win. */
export interface EndedAttempt {
  readonly state: EndedAttemptState
  readonly failure: FailureCode | null
  /** Since its start was sent; null where none was. */
  readonly totalMs: number | null
  readonly stages: { readonly [stage in Stage]: number | null }
}
export type Stage = 'queue' | 'boot' | 'run' | 'collect'

export interface EndedPrediction {
  readonly status: PredictionStatus
  readonly failure: FailureCode | null
  /** Milliseconds since it was created. */
  readonly totalMs: number
  readonly attempts: number
  /** USD of its attempts as far as that is known. */
  readonly cost: number
}

/** Why a prediction exists. */
export function purposeOf({ id, shadowOf }: Pick<PredictionRecord, 'id' | 'shadowOf'>): Purpose {
  if (shadowOf !== undefined) return 'shadow'
  return isWarmUp(id) ? 'warm-up' : 'caller'
}

/** What happened between two states of one record, in order. */
export function entriesOf(before: PredictionRecord, after: PredictionRecord): readonly JournalEntry[] {
  if (before === after) return []
  const prediction = { prediction: after.id, model: after.model, purpose: purposeOf(after) }
  const entries = after.attempts.flatMap((attempt, index) => {
    const earlier = before.attempts[index] ?? null
    if (earlier === attempt) return []
    const { id, number, deployment } = attempt
    const base = { ...prediction, attempt: id, number, deployment }
    return attemptEntries(base, earlier, attempt, after.attempts[index - 1]?.deployment ?? null)
  })
  for (const { id, event, tries, state } of after.webhook?.queue ?? []) {
    const earlier = before.webhook?.queue.find(entry => entry.id === id)
    if (state === 'dead' && earlier?.state !== 'dead')
      entries.push({ ...prediction, type: 'webhookDied', event, tries })
  }
  if (isTerminal(after.status) && !isTerminal(before.status)) {
    const ended: EndedPrediction = {
      status: after.status,
      failure: after.failure?.code ?? null,
      totalMs: Math.max(0, (after.completedAt ?? after.createdAt) - after.createdAt),
      attempts: after.attempts.length,
      cost: after.attempts.reduce((sum, { cost }) => sum + (cost?.amount ?? 0), 0),
    }
    entries.push({ ...prediction, type: 'predictionEnded', ended })
  }
  return entries
}

function attemptEntries(base: OfAttempt, before: Attempt | null, after: Attempt, previous: string | null) {
  const entries: JournalEntry[] = []
  const { submittedAt, unknownSince, abandoned, release } = after
  if (before === null) entries.push({ ...base, type: 'attemptPlanned', after: previous })
  if (submittedAt !== null && (before?.submittedAt ?? null) === null) entries.push({ ...base, type: 'attemptSent' })
  const isLost = unknownSince !== null && abandoned === null
  if (isLost && (before?.unknownSince ?? null) === null) entries.push({ ...base, type: 'startLost' })
  const { failure } = verdictOf(after)
  if (failure !== null && (before === null || verdictOf(before).failure === null))
    entries.push({ ...base, type: 'attemptFailed', failure })
  const state = endedStateOf(after)
  const wasEnded = before !== null && endedStateOf(before) !== null
  if (state !== null && !wasEnded) entries.push({ ...base, type: 'attemptEnded', ended: toEnded(after, state) })
  // Until it has ended, a cost is a guess that may sink; after that the vendor may still raise it.
  const amount = (after.cost?.amount ?? 0) - (wasEnded ? (before.cost?.amount ?? 0) : 0)
  if (state !== null && amount > 0) entries.push({ ...base, type: 'attemptCharged', amount })
  if (release === 'given_up' && before?.release !== 'given_up') entries.push({ ...base, type: 'runUnconfirmed' })
  return entries
}

function endedStateOf({ state }: Attempt): EndedAttemptState | null {
  return endedAttemptStates.find(ended => ended === state) ?? null
}

function toEnded(attempt: Attempt, state: EndedAttemptState): EndedAttempt {
  const { submittedAt, bootingAt, runningAt, collectingAt, endedAt } = attempt
  const won = (from: number | null, to: number | null) => (state === 'won' ? between(from, to) : null)
  return {
    state,
    failure: attempt.failure?.code ?? null,
    totalMs: between(submittedAt, endedAt),
    stages: {
      queue: won(submittedAt, bootingAt ?? runningAt),
      boot: won(bootingAt, runningAt),
      run: won(runningAt, collectingAt),
      collect: won(collectingAt, endedAt),
    },
  }
}

function between(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from)
}

/** A line for the log. */
export interface JournalLine {
  readonly level: Parameters<Log>[0]
  readonly message: string
  readonly fields: JsonObject
}

/**
 * The entry as a line of the log; null for what is only counted. Of a failure it holds the code and whose fault it is, not
 * the words: those may be a model's own, and repeat what it was given. `surefoot show` tells them to whoever may know.
 */
export function toLine(entry: JournalEntry): JournalLine | null {
  const { prediction } = entry
  switch (entry.type) {
    case 'attemptPlanned': {
      const { after, deployment } = entry
      if (after === null) return null
      const message = after === deployment ? 'A prediction is tried again.' : 'A prediction goes to another deployment.'
      return line('info', message, { ...ofAttempt(entry), ...(after !== deployment && { from: after }) })
    }
    case 'startLost':
      return line('warn', 'A start got no answer; the run is looked for.', ofAttempt(entry))
    case 'attemptFailed': {
      const { code, fault } = entry.failure
      return line('warn', 'An attempt failed.', { ...ofAttempt(entry), code, fault })
    }
    case 'runUnconfirmed':
      return line('warn', 'Nobody could tell that a run has ended; it may still cost money.', ofAttempt(entry))
    case 'predictionEnded': {
      const { status, failure: code, totalMs: ms, attempts, cost } = entry.ended
      const fields = { prediction, model: entry.model, status, ...(code && { code }), ms, attempts, cost }
      return line(status === 'failed' ? 'warn' : 'info', 'A prediction ended.', fields)
    }
    case 'webhookDied':
      return line('warn', 'A webhook was given up.', { prediction, event: entry.event, tries: entry.tries })
    case 'attemptSent':
    case 'attemptEnded':
    case 'attemptCharged':
      return null
  }
}

function ofAttempt({ prediction, attempt, number, deployment }: OfAttempt): JsonObject {
  return { prediction, attempt, number, deployment }
}

function line(level: JournalLine['level'], message: string, fields: JsonObject): JournalLine {
  return { level, message, fields }
}
