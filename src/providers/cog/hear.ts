import { timingSafeEqual } from 'node:crypto'
import { refuse } from '../../core/failure.ts'
import type { Addressee, Heard, HeardRequest } from '../contract.ts'
import { helloSchema, parseBody } from '../kit.ts'
import { observe } from './observe.ts'
import type { CogTarget } from './options.ts'
import { handleOf } from './start.ts'
import { predictionSchema } from './wire.ts'

const ends = new Set(['succeeded', 'failed', 'canceled'])

/**
 * Reads Cog's webhook (a snapshot of the prediction) or our kit's hello. Neither is signed: what proves them is the secret
 * in the URL, and for webhooks `token`, the server's `WEBHOOK_AUTH_TOKEN`, where it is set. Fails with `auth_rejected`
 * (401), and with `provider_error` (422) for anything else than this attempt's prediction.
 */
export function hear(
  { headers, body }: HeardRequest,
  to: Addressee,
  target: CogTarget,
  token: string | undefined,
  server: string,
): Heard {
  const { attemptId } = to
  const handle = handleOf(target, attemptId)
  const message = parseBody(body)
  // A kit runs in a container that may not know its run's id; the URL named the attempt.
  if (helloSchema.safeParse(message).success)
    return {
      deliveryId: `${attemptId} hello`,
      handle: { ...handle },
      observation: { status: 'running', word: 'hello' },
    }
  if (token !== undefined && !isSame(headers.get('authorization') ?? '', `Bearer ${token}`))
    refuse('auth_rejected', `A webhook of ${server} came without the token that its server should have.`, {
      status: 401,
      advice: "Set the server's WEBHOOK_AUTH_TOKEN and the option webhookToken to the same.",
    })
  const parsed = predictionSchema.safeParse(message)
  if (!parsed.success) return refuse('provider_error', 'A webhook holds neither a run nor a hello.', { status: 422 })
  const { id, status } = parsed.data
  if ((id ?? attemptId) !== attemptId)
    refuse('provider_error', 'A webhook is about another run than its address.', { status: 422 })
  return {
    // There is no message id. Ends are repeated until one is taken; anything before them is sent once.
    deliveryId: ends.has(status) ? `${attemptId} ${status}` : null,
    handle: { ...handle },
    observation: observe(parsed.data, handle.stored ?? null, server),
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
