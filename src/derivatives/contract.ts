import type { JsonObject } from '../core/json.ts'

/**
 * Files in other formats, made of a verified splat when somebody asks for one, and kept. Where a name is asked for twice
 * at the same moment it is made once.
 */
export interface Derivatives {
  /** What can be made of an output of this name, in the order in which people are shown it. */
  list(output: string): readonly DerivativeInfo[]
  /**
   * The derivative of that name; null where there is none, or nothing to make it of. Made now where it is not kept yet:
   * then this waits for at most `holdMs`, and says how far it is when that is not enough; the work goes on. It is given
   * up when everybody who waited for it has gone (`signal`). Fails with a `SurefootError`: `deployment_missing` (501)
   * without the converter, `rate_limited` while too many wait, or for what went wrong: see `convert`.
   */
  get(source: DerivativeSource, name: string, options: GetOptions): Promise<DerivativeState | null>
  /** Ends what is being made. */
  stop(): Promise<void>
}

export interface DerivativeInfo {
  readonly name: string
  readonly mediaType: string
  /** What it is, for people. */
  readonly label: string
}

/** What derivatives are made of: a verified splat, and the photo that it was made of, where that is kept. */
export interface DerivativeSource {
  readonly output: StoredBytes & { readonly facts: JsonObject }
  readonly photo: StoredBytes | null
}

export interface StoredBytes {
  readonly key: string
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

export interface GetOptions {
  readonly signal: AbortSignal
  /** Milliseconds; 0 answers at once. */
  readonly holdMs: number
}

export type DerivativeState =
  | {
      readonly kind: 'stored'
      readonly key: string
      readonly name: string
      readonly mediaType: string
      readonly bytes: number
      readonly sha256: string
    }
  | { readonly kind: 'json'; readonly name: string; readonly body: JsonObject }
  | {
      readonly kind: 'converting'
      /** `queued` behind others, then `clean`, `merge`, `write`. */
      readonly stage: 'queued' | 'clean' | 'merge' | 'write'
      /** 0 to 1 of the stage, or null where nobody knows. */
      readonly fraction: number | null
    }
