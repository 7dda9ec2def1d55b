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

  function sign(parts: readonly string[], expiresAt: number): string {
    // JSON, because it can be read back in one way only: joined by a separator, ['a/b', 'c'] and ['a', 'b/c'] are the same.
    return createHmac('sha256', secret)
      .update(JSON.stringify([expiresAt, ...parts]))
      .digest('base64url')
  }

  return {
    sign,
    verify(parts, expiresAt, signature, now) {
      // As text: decoding skips what it does not know and the last two bits, and one digest would have many forms.
      const [expected, given] = [Buffer.from(sign(parts, expiresAt)), Buffer.from(signature)]
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'forged'
      // After the signature: an end that was tampered with is forged, whatever it says. NaN is past, too.
      return now < expiresAt ? 'good' : 'expired'
    },
  }
}
