import { z } from '@hono/zod-openapi'
import { refuse } from '../core/failure.ts'
import type { Context } from './context.ts'

const preferPattern = /^wait(=([1-9]|[1-5][0-9]|60))?$/
const durationPattern = /^(?=\d)(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?$/
const longestDeadline = 24 * 3_600_000
const keyPattern = /^[\x21-\x7e]{1,255}$/

/** Headers of the routes that create predictions. */
export const createHeaders: z.ZodObject = z.object({
  prefer: z.string().regex(preferPattern).optional().openapi({
    description:
      'Hold the answer until the prediction ends, at most `n` seconds: `wait` (60) or `wait=n`, n from 1 to 60.',
  }),
  'cancel-after': z.string().regex(durationPattern).optional().openapi({
    description: 'Ends the prediction so long after its creation: `30s`, `5m`, `1h`, `1h30m`; at most 24 hours.',
  }),
  'idempotency-key': z.string().regex(keyPattern).optional().openapi({
    description:
      'A name for this request, fresh and unguessable: repeated with the same body it gives the same prediction, with another 409.',
  }),
})

/** How long to hold the answer, in milliseconds; 0 without `Prefer`. */
export function readPrefer(c: Context): number {
  const value = c.req.header('prefer')
  if (value === undefined) return 0
  const match = preferPattern.exec(value.trim())
  if (match === null) refuse('input_invalid', 'Prefer: takes "wait" or "wait=n" with n from 1 to 60 seconds.')
  return Number(match[2] ?? 60) * 1000
}

/** Milliseconds from creation to the caller's deadline, or null where none was given. */
export function readCancelAfter(c: Context): number | null {
  const value = c.req.header('cancel-after')
  if (value === undefined) return null
  const match = durationPattern.exec(value.trim())
  const [, hours = 0, minutes = 0, seconds = 0] = match ?? []
  const duration = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000
  if (match === null || duration === 0 || duration > longestDeadline) {
    refuse('input_invalid', 'Cancel-After: takes a duration such as "30s", "5m", "1h" or "1h30m", at most 24 hours.')
  }
  return duration
}

/** The caller's name for its request, or null where it has none. */
export function readIdempotencyKey(c: Context): string | null {
  const value = c.req.header('idempotency-key')
  if (value === undefined) return null
  if (!keyPattern.test(value)) refuse('input_invalid', 'Idempotency-Key: takes 1 to 255 visible ASCII characters.')
  return value
}

/**
 * The digest that the sender promised, as lower-case hex: `x-content-sha256` (hex) or `Content-Digest`
 * (RFC 9530, `sha-256=:base64:`). Undefined where none was given; other algorithms are not checked.
 */
export function readDigest(c: Context): string | undefined {
  const hex = c.req.header('x-content-sha256')
  if (hex !== undefined) {
    if (!/^[0-9a-f]{64}$/i.test(hex)) refuse('input_invalid', 'x-content-sha256: is not 64 hex digits.')
    return hex.toLowerCase()
  }
  const field = /(?:^|,)\s*sha-256=(.*?)(?:,|$)/.exec(c.req.header('content-digest') ?? '')?.[1]
  if (field === undefined) return undefined
  const base64 = /^:([A-Za-z0-9+/]{43}=):$/.exec(field.trim())?.[1]
  if (base64 === undefined) refuse('input_invalid', 'Content-Digest: its sha-256 value is not 32 bytes in base64.')
  return Buffer.from(base64, 'base64').toString('hex')
}

/** Content-Length as a number, or undefined where the body comes in chunks. */
export function readLength(c: Context): number | undefined {
  const value = c.req.header('content-length')
  if (value === undefined) return undefined
  if (!/^\d{1,15}$/.test(value)) refuse('input_invalid', 'Content-Length: is not a number.')
  return Number(value)
}
