import type { Scope } from '../core/token.ts'

/** A token without its secret. Times are ISO 8601 in UTC. */
export interface TokenJson {
  readonly id: string
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly state: 'good' | 'expired' | 'revoked'
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  /** To the hour. */
  readonly last_used_at: string | null
  readonly requests_per_minute: number | null
  readonly concurrency: number | null
  /** USD of a UTC day. */
  readonly budget_per_day: number | null
  /** Bytes of one file. */
  readonly file_bytes: number | null
  /** Bytes of all files that are kept at once. */
  readonly stored_bytes: number | null
}

/** The answer to its creation: the only one that ever has the secret. */
export interface NewTokenJson extends TokenJson {
  readonly secret: string
}

/** `GET /v1/tokens`, newest first. */
export interface TokensJson {
  readonly tokens: readonly TokenJson[]
}

/** Body of `POST /v1/tokens`. */
export interface CreateTokenBody {
  readonly name: string
  /** Default `predict` and `read`. */
  readonly scopes?: readonly Scope[]
  /** Seconds. Default: never. */
  readonly expires_in?: number
  readonly requests_per_minute?: number
  readonly concurrency?: number
  readonly budget_per_day?: number
  readonly file_bytes?: number
  readonly stored_bytes?: number
}
