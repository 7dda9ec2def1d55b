import { createHmac, timingSafeEqual } from 'node:crypto'

/** The secret that proves a callback is about our attempt: HMAC-SHA256(server key, attempt id), hex. */
export function markerSecret(serverKey: string, attemptId: string): string {
  return createHmac('sha256', serverKey).update(`attempt:${attemptId}`).digest('hex')
}

/** Compares in constant time. */
export function isMarkerSecret(serverKey: string, attemptId: string, secret: string): boolean {
  const expected = Buffer.from(markerSecret(serverKey, attemptId))
  const given = Buffer.from(secret)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
