import { createHmac, timingSafeEqual } from 'node:crypto'
import { refuse } from '../../core/failure.ts'
import type { Addressee, Heard, HeardRequest, Io } from '../contract.ts'
import { parseBody } from '../kit.ts'
import type { VendorApi } from '../vendor-api.ts'
import { observe } from './observe.ts'
import { predictionSchema, webhookSecretSchema } from './wire.ts'

/** Older (or newer) webhooks are refused: a recorded one must not be played again. */
const toleranceMs = 5 * 60_000
/** A signature that fits no secret may mean a new secret, but forgers must not make us ask for it each time. */
const refetchAfterMs = 60_000

/**
 * A function that verifies and parses this account's webhooks (the Svix scheme: HMAC-SHA256 over id, timestamp and raw
 * body). The secret is fetched once and kept; when nothing fits it is fetched again, at most once a minute.
 * Refuses with `auth_rejected` (401): headers missing, stamp too old or new, no signature fits; with `provider_error` (422):
 * no prediction, or one whose webhooks go to another attempt.
 */
export function createHear(
  api: VendorApi,
): (request: HeardRequest, io: Io, now: number, to: Pick<Addressee, 'attemptId'>) => Promise<Heard> {
  let kept: { readonly key: string; readonly at: number } | null = null

  async function fetchSecret(io: Io, now: number): Promise<string> {
    const { key } = await api.get('/webhooks/default/secret', webhookSecretSchema, io)
    kept = { key, at: now }
    return key
  }

  return async function hear(request, io, now, { attemptId }) {
    const id = request.headers.get('webhook-id')
    const stamp = request.headers.get('webhook-timestamp')
    const signatures = request.headers.get('webhook-signature')
    if (!id || !stamp || !signatures) return refused('Webhook refused: it carries no signature.')
    const skewMs = /^\d{1,12}$/.test(stamp) ? Number(stamp) * 1000 - now : Number.NaN
    if (!(Math.abs(skewMs) <= toleranceMs))
      return refused(
        Number.isNaN(skewMs)
          ? 'Webhook refused: its timestamp cannot be read.'
          : `Webhook refused: its timestamp is ${Math.abs(Math.round(skewMs / 1000))} s ${skewMs < 0 ? 'behind' : 'ahead of'} this machine's clock (5 min are allowed); check the clock.`,
      )

    let fits = verify(kept?.key ?? (await fetchSecret(io, now)), id, stamp, signatures, request.body)
    if (!fits && kept !== null && now - kept.at >= refetchAfterMs)
      fits = verify(await fetchSecret(io, now), id, stamp, signatures, request.body)
    if (!fits) return refused('Webhook refused: its signature does not fit.')

    const prediction = predictionSchema.safeParse(parseBody(request.body))
    if (!prediction.success) return refuse('provider_error', 'A signed webhook holds no prediction.', { status: 422 })
    // A prediction says where its webhooks go, so a good one of another run is not good here.
    const { webhook } = prediction.data
    if (webhook != null && !webhook.includes(`/${attemptId}/`))
      return refuse('provider_error', 'A webhook is about another run than its address.', { status: 422 })
    return { deliveryId: id, handle: { id: prediction.data.id }, observation: observe(prediction.data) }
  }
}

/** Whether one of the listed signatures fits; compared in constant time. */
export function verify(secret: string, id: string, stamp: string, signatures: string, body: Uint8Array): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${stamp}.`).update(body).digest()
  let fits = false
  for (const each of signatures.split(' ')) {
    const [version, signature = ''] = each.split(',')
    const given = Buffer.from(signature, 'base64')
    if (version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)) fits = true
  }
  return fits
}

function refused(message: string): never {
  return refuse('auth_rejected', message, { status: 401 })
}
