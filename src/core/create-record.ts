import type { JsonObject } from './json.ts'
import type { PredictionRecord, StoredInput, WebhookEvent } from './prediction.ts'

/** What a prediction is made of when it begins. */
export interface NewPrediction {
  readonly id: string
  readonly model: string
  readonly modelVersion: string
  readonly owner: string
  readonly source: 'api' | 'web'
  readonly input: JsonObject
  readonly files: { readonly [field: string]: StoredInput }
  /** Default null: the model's route. */
  readonly route?: readonly string[] | null
  /** Default: it repeats none. */
  readonly shadowOf?: string
  /** See `PredictionRecord`. Default: its owner has no budget. */
  readonly allowance?: number
  /** See `PredictionRecord`. Default: the request had no key. */
  readonly fingerprint?: string
  readonly deadlineMs: number
  readonly deadlineBy: 'client' | 'policy'
  readonly webhook: { readonly url: string; readonly events: readonly WebhookEvent[] } | null
}

/** A fresh record: nothing planned, due at once. */
export function createRecord(prediction: NewPrediction, now: number): PredictionRecord {
  const { deadlineMs, webhook, ...given } = prediction
  return {
    ...given,
    route: given.route ?? null,
    createdAt: now,
    deadlineAt: now + deadlineMs,
    startedAt: null,
    completedAt: null,
    status: 'starting',
    cancelRequestedAt: null,
    attempts: [],
    output: null,
    failure: null,
    progress: null,
    retryAt: null,
    decisions: [],
    webhook: webhook && { ...webhook, queue: [] },
    settledAt: null,
  }
}
