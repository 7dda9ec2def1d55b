import { createHmac } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { refuse, SurefootError } from '../core/failure.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import type { Derivatives } from '../derivatives/contract.ts'
import type { Log, Route } from '../engine/contract.ts'
import type { OutsidePost } from '../files/contract.ts'
import type { Signer } from '../files/signing.ts'
import { createLinks } from './links.ts'
import { toPredictionView } from './view.ts'

export interface WebhookSenderOptions {
  /** The store's secret `webhooks`; receivers check signatures by `toWebhookKey` of the owner's part of it. */
  readonly secret: string
  readonly outside: OutsidePost
  readonly signer: Signer
  readonly clock: Clock
  readonly routes: ReadonlyMap<string, Route>
  /** Default: none are offered. */
  readonly derivatives?: Pick<Derivatives, 'list'>
  /** What links in the body begin with, asked at each delivery: a port is known only once it is listened on. */
  readonly origin: () => string
  readonly log: Log
}

export interface WebhookSender {
  /** Refuses with `input_invalid` (422) a webhook's URL to which nothing could ever be delivered. */
  check(url: string): void
  /** Delivers one notification of a prediction to its webhook; true when the receiver took it (2xx). Never fails. */
  send(record: PredictionRecord, notification: string, signal: AbortSignal): Promise<boolean>
}

/**
 * Creates the sender of webhooks: one POST of the prediction, as `GET` shows it at that moment, signed after Standard
 * Webhooks (https://www.standardwebhooks.com), which is Replicate's scheme. `webhook-id` is the notification's, the same
 * on every try; the timestamp is the try's, or receivers would take a late try for a replay.
 */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { secret, outside, clock, routes, origin, log } = options

  function sign(owner: string, id: string, timestamp: string, body: string): string {
    const key = Buffer.from(ownerSecretOf(secret, owner), 'base64url')
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  }

  return {
    check(url) {
      try {
        outside.check(url)
      } catch (error) {
        if (!SurefootError.is(error)) throw error
        refuse('input_invalid', `webhook: ${error.failure.message} Name its origin in webhookOrigins of the config.`)
      }
    },
    async send(record, notification, signal) {
      const { webhook, id } = record
      if (webhook === null) return false
      const model = routes.get(record.model)?.model
      const derivatives = model?.derives === undefined ? undefined : options.derivatives
      const view = { links: createLinks(options, origin()), notice: model?.notice ?? null, derivatives }
      const body = JSON.stringify(toPredictionView({ record }, view))
      const timestamp = String(Math.floor(clock.now() / 1000))
      const headers = {
        'content-type': 'application/json',
        'webhook-id': notification,
        'webhook-timestamp': timestamp,
        'webhook-signature': sign(record.owner, notification, timestamp, body),
      }
      try {
        const status = await outside.post(webhook.url, { headers, body, signal })
        if (status >= 200 && status < 300) return true
        log('warn', 'a webhook was not taken', { prediction: id, notification, status })
      } catch (error) {
        const reason = SurefootError.is(error) ? error.message : String(error)
        log('warn', 'a webhook could not be delivered', { prediction: id, notification, reason })
      }
      return false
    },
  }
}

/** Each owner's receivers check by a key of their own: by one for all, any owner could forge what the others are told. */
export function ownerSecretOf(secret: string, owner: string): string {
  return owner === 'local' ? secret : createHmac('sha256', secret).update(owner).digest('base64url')
}

/** The secret as receivers get it: `whsec_` and its bytes in base64. */
export function toWebhookKey(secret: string): string {
  return `whsec_${Buffer.from(secret, 'base64url').toString('base64')}`
}
