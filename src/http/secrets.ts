import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** What its holder sends: `sf_`, the token's public id, and 256 random bits. */
export interface MintedToken {
  readonly id: string
  readonly secret: string
  /** What is stored of it: SHA-256 of the whole, lower-case hex. Random bits need no salt and no slow hash. */
  readonly digest: string
}

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const idLength = 12

/** A new token's id and secret, from the system's generator. */
export function mintToken(): MintedToken {
  const id = Array.from(randomBytes(idLength), byte => alphabet[byte & 31]).join('')
  const secret = `sf_${id}_${randomBytes(32).toString('base64url')}`
  return { id, secret, digest: digestOf(secret) }
}

/** A secret for callers on this machine that read it from the data folder. */
export function mintOwnerSecret(): string {
  return `sf_owner_${randomBytes(32).toString('base64url')}`
}

/** The secret in an `Authorization` header, `Bearer` or Replicate's older `Token`; null where there is none that could be one. */
export function readAuthorization(header: string | undefined): string | null {
  if (header === undefined || header.length > 200) return null
  return /^(?:bearer|token) +([\w-]+) *$/i.exec(header)?.[1] ?? null
}

/** The public id in a secret that has our form. */
export function idOfSecret(secret: string): string | null {
  return /^sf_([a-z2-7]{12})_[A-Za-z0-9_-]{43}$/.exec(secret)?.[1] ?? null
}

/** SHA-256, lower-case hex. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Compares in a time that does not depend on where two digests differ. */
export function isDigestOf(digest: string, secret: string): boolean {
  const [expected, given] = [Buffer.from(digest, 'hex'), Buffer.from(digestOf(secret), 'hex')]
  return expected.length === given.length && timingSafeEqual(expected, given)
}
