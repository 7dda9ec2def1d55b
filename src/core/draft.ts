import {
  type Attempt,
  type Decision,
  isEnded,
  type Notification,
  type PredictionRecord,
  type Webhook,
} from './prediction.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** An attempt while `step` works on it. */
export type AttemptDraft = Mutable<Attempt>

/** A record while `step` works on it: the first two levels may be assigned, everything deeper is replaced whole. */
export type Draft = Omit<Mutable<PredictionRecord>, 'attempts' | 'decisions' | 'webhook'> & {
  attempts: AttemptDraft[]
  decisions: Decision[]
  webhook: (Omit<Mutable<Webhook>, 'queue'> & { queue: Mutable<Notification>[] }) | null
}

/** How many decisions a record keeps; the oldest after the first few give way. */
const keptDecisions = 200

export function draftOf(record: PredictionRecord): Draft {
  return {
    ...record,
    attempts: record.attempts.map(attempt => ({ ...attempt })),
    decisions: [...record.decisions],
    webhook: record.webhook && { ...record.webhook, queue: record.webhook.queue.map(entry => ({ ...entry })) },
  }
}

/** Adds a line to the prediction's account of itself. */
export function decide(draft: Draft, now: number, attempt: AttemptDraft | null, what: string, why: string): void {
  draft.decisions.push({ at: now, attempt: attempt?.number ?? null, what, why })
  if (draft.decisions.length > keptDecisions) draft.decisions.splice(keptDecisions / 2, 1)
}

/** Attempts that still work towards an output: neither ended nor given notice. */
export function activeAttempts(draft: Draft): AttemptDraft[] {
  return draft.attempts.filter(attempt => !isEnded(attempt.state) && attempt.abandoned === null)
}

/** Seconds in words, for decisions and failures. */
export function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
