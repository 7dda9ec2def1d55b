import { createHmac, timingSafeEqual } from 'node:crypto'
import { invariant } from '../core/failure.ts'

/** Signs what a URL of ours allows, so that the URL itself is the permission and ends by itself. */
export interface Signer {
  /** The signature (HMAC-SHA256, base64url) of the parts until `expiresAt` (milliseconds since 1970). */
  sign(parts: readonly string[], expiresAt: number): string
  /** `forged` unless the signature was made for exactly these parts and this end; `expired` from that end on. */
  verify(parts: readonly string[], expiresAt: number, signature: string, now: number): 'good' | 'expired' | 'forged'
}

/**
 * Creates a signer. Whoever knows the secret can sign; give each purpose its own, or its name as the first part.
 *
 * @example
 * const signature = signer.sign(['PUT', attemptId, name], expiresAt)
 */
export function createSigner(secret: string): Signer {
  invariant(secret.length >= 16, 'a signing secret has at least 16 characters')

  function digest(parts: readonly string[], expiresAt: number): Buffer {
    // JSON, because it can be read back in one way only: joined by a separator, ['a/b', 'c'] and ['a', 'b/c'] are the same.
    return createHmac('sha256', secret)
      .update(JSON.stringify([expiresAt, ...parts]))
      .digest()
  }

  return {
    sign: (parts, expiresAt) => digest(parts, expiresAt).toString('base64url'),
    verify(parts, expiresAt, signature, now) {
      const expected = digest(parts, expiresAt)
      // The length before decoding: base64url decoding skips what it does not know, and one digest would have many forms.
      if (!/^[A-Za-z0-9_-]{43}$/.test(signature)) return 'forged'
      const given = Buffer.from(signature, 'base64url')
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'forged'
      // After the signature: an end that was tampered with is forged, whatever it says. NaN is past, too.
      return now < expiresAt ? 'good' : 'expired'
    },
  }
}
