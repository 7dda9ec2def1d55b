import { z } from '@hono/zod-openapi'
import type { Notification, NotificationState, WebhookEvent } from '../core/prediction.ts'
import type { StoredPrediction } from '../store/contract.ts'
import { toTime } from './view.ts'

/** One event of a prediction that its webhook is told. */
export interface WebhookJson {
  /** `webhook-id`: the same on every try. */
  readonly id: string
  readonly prediction: string
  readonly url: string
  readonly event: WebhookEvent
  /** `dead`: its last try failed; only a resend tries again. */
  readonly state: NotificationState
  readonly tries: number
  readonly created_at: string
  /** When it is tried next; null where it is not. */
  readonly next_at: string | null
}

/** The same as a schema. */
export const webhookSchema: z.ZodType<WebhookJson> = z
  .object({
    id: z.string(),
    prediction: z.string(),
    url: z.url(),
    event: z.enum(['start', 'output', 'logs', 'completed']),
    state: z.enum(['waiting', 'delivered', 'dead']),
    tries: z.int(),
    created_at: z.iso.datetime(),
    next_at: z.iso.datetime().nullable(),
  })
  .openapi('Webhook')

/** What a prediction's webhook is told, in order; all of it, or what fares so. */
export function toWebhookViews({ record }: StoredPrediction, wanted: NotificationState | null): WebhookJson[] {
  const { id: prediction, webhook } = record
  if (webhook === null) return []
  const chosen = webhook.queue.filter(({ state }) => wanted === null || state === wanted)
  return chosen.map(entry => toView(prediction, webhook.url, entry))
}

function toView(prediction: string, url: string, { id, event, state, tries, at, nextAt }: Notification): WebhookJson {
  const next_at = state === 'waiting' ? toTime(nextAt) : null
  return { id, prediction, url, event, state, tries, created_at: toTime(at), next_at }
}
