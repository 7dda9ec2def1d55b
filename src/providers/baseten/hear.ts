import { createHmac, timingSafeEqual } from 'node:crypto'
import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Addressee, Heard, HeardRequest, Observation } from '../contract.ts'
import { helloSchema, parseBody } from '../kit.ts'
import { outputsOf } from '../outputs.ts'
import { failureOfRun } from './failure.ts'
import { metricsBetween } from './observe.ts'
import type { BasetenTarget } from './options.ts'
import { handleOf } from './start.ts'
import { type Handle, timeOf, type WireWebhook, webhookSchema } from './wire.ts'

/** Older (or newer) webhooks are refused: a recorded one must not be played again. */
const toleranceMs = 5 * 60_000

export interface HearOptions {
  readonly secrets: readonly string[]
  readonly parseTarget: (target: unknown) => BasetenTarget & JsonObject
  /** When the request was created, which a webhook does not tell; null where that cannot be had. */
  readonly createdAt: (handle: Handle, target: BasetenTarget) => Promise<number | null>
}

/**
 * Reads Baseten's webhook of a request's end, which is the only place of a result, or our kit's hello. What proves both is
 * the secret in the URL; where the workspace has webhook secrets, a webhook is signed besides, and must be. Fails with
 * `deployment_missing` when the attempt's deployment is gone from the config, with `auth_rejected` (401) when a signature is
 * missing, does not fit or is too old, and with `provider_error` (422) for anything else than the two.
 */
export async function hear(
  { headers, body }: HeardRequest,
  now: number,
  to: Addressee,
  { secrets, parseTarget, createdAt }: HearOptions,
): Promise<Heard> {
  if (to.target === null) return refuse('deployment_missing', 'A webhook came for a deployment that is not configured.')
  const target = parseTarget(to.target)
  const message = parseBody(body)
  const hello = helloSchema.safeParse(message)
  if (hello.success) {
    const { id } = hello.data
    const handle = { ...handleOf(target, id, to.attemptId) }
    return { deliveryId: `${id} hello`, handle, observation: { status: 'running', word: 'hello' } }
  }
  if (secrets.length > 0) checkSignature(secrets, headers.get('x-baseten-signature'), body)
  const webhook = webhookSchema.safeParse(message)
  if (!webhook.success)
    return refuse('provider_error', 'A webhook holds neither a result nor a hello.', { status: 422 })
  // Without a signature nothing vouches for the time either.
  if (secrets.length > 0) checkTime(webhook.data, now)
  const { request_id: id, time } = webhook.data
  const handle = handleOf(target, id, to.attemptId)
  const observation = observationOf(webhook.data, handle.stored ?? null)
  const metrics = metricsBetween(await createdAt(handle, target), timeOf(time))
  // There is no id of the delivery; the second try repeats the first.
  return { deliveryId: `${id} completed`, handle: { ...handle }, observation: { ...observation, ...metrics } }
}

function observationOf({ type: word, data, errors }: WireWebhook, stored: string | null): Observation {
  // `type` says completed in either case.
  if (errors.length > 0) return { status: 'failed', word, failure: failureOfRun(errors) }
  const outputs = stored === null ? outputsOf(data, { bareBase64: true }) : [{ kind: 'stored' as const, key: stored }]
  return { status: 'succeeded', word, outputs }
}

/** During a rotation of secrets a webhook carries a signature for each: any that fits will do. */
function checkSignature(secrets: readonly string[], header: string | null, body: Uint8Array): void {
  if (header === null) return refused('Webhook refused: it carries no signature.')
  const given = header.split(',').map(each => /^v1=([0-9a-f]{64})$/i.exec(each.trim())?.[1] ?? '')
  const fits = secrets.some(secret => {
    // The whole secret is the key, with its prefix `whsec_`.
    const expected = createHmac('sha256', secret).update(body).digest()
    return given.some(hex => hex !== '' && timingSafeEqual(Buffer.from(hex, 'hex'), expected))
  })
  if (!fits) refused('Webhook refused: its signature fits none of the configured webhookSecrets; were they rotated?')
}

/** No header tells when a webhook was sent; the signed body does. */
function checkTime({ time }: WireWebhook, now: number): void {
  const at = timeOf(time)
  if (at === null) return refused('Webhook refused: its time cannot be read.')
  const skewMs = at - now
  if (Math.abs(skewMs) <= toleranceMs) return
  const skew = `${Math.abs(Math.round(skewMs / 1000))} s ${skewMs < 0 ? 'behind' : 'ahead of'}`
  refused(`Webhook refused: its time is ${skew} this machine's clock (5 min are allowed); check the clock.`)
}

function refused(message: string): never {
  return refuse('auth_rejected', message, { status: 401 })
}
