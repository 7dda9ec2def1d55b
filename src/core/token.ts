/** What a token may do: create and cancel predictions and store files; read what is its own; run the gateway. */
export const scopes = ['predict', 'read', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** What one caller may use. Null: no limit. */
export interface TokenLimits {
  /** Requests in any minute at each gateway process. */
  readonly requestsPerMinute: number | null
  /** Predictions that have not ended. */
  readonly concurrency: number | null
  /** USD that the predictions of a UTC day may cost at worst. */
  readonly budgetPerDay: number | null
  /** Bytes of one file. */
  readonly fileBytes: number | null
  /** Bytes of all files that are kept at once; the same ones count once, and what is going to be uploaded counts too. */
  readonly storedBytes: number | null
}

/** Permission for one caller. Its secret is nowhere stored; whoever has it is the owner `id` of predictions and files. */
export interface Token {
  /** Public, 12 lower-case characters. */
  readonly id: string
  /** For people. */
  readonly name: string
  /** SHA-256 of the secret, lower-case hex. */
  readonly digest: string
  readonly scopes: readonly Scope[]
  readonly limits: TokenLimits
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  /** To the hour or so; null before the first use. */
  readonly lastUsedAt: number | null
}

export const noLimits: TokenLimits = {
  requestsPerMinute: null,
  concurrency: null,
  budgetPerDay: null,
  fileBytes: null,
  storedBytes: null,
}

/** Why a token is not good any more; null while it is. */
export function endOf({ revokedAt, expiresAt }: Token, now: number): 'revoked' | 'expired' | null {
  if (revokedAt !== null) return 'revoked'
  return expiresAt !== null && now >= expiresAt ? 'expired' : null
}
