import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context as HonoContext } from 'hono'
import type { Clock } from '../core/clock.ts'
import type { Scope, TokenLimits } from '../core/token.ts'
import type { Derivatives } from '../derivatives/contract.ts'
import type { Engine, Log } from '../engine/contract.ts'
import type { FileStore } from '../files/contract.ts'
import type { Signer } from '../files/signing.ts'
import type { Store } from '../store/contract.ts'
import type { Door } from './door.ts'

/** What the front is made of. Nothing is opened, listened to or read from the environment here. */
export interface AppDependencies {
  readonly engine: Engine
  readonly store: Pick<
    Store,
    | 'get'
    | 'putFile'
    | 'getFile'
    | 'listFiles'
    | 'deleteFile'
    | 'predictionOf'
    | 'secret'
    | 'now'
    | 'addToken'
    | 'findToken'
    | 'listTokens'
    | 'revokeToken'
    | 'noteTokenUse'
    | 'hasTokens'
  >
  readonly files: FileStore
  /** Makes other formats of splats. Default: none are offered. */
  readonly derivatives?: Derivatives
  readonly signer: Signer
  readonly clock: Clock
  /** Where others reach us (`https://host`), or null: then links carry the origin of the request. */
  readonly publicUrl: string | null
  /** Folder of the built Studio page, or null where there is none. */
  readonly studio: string | null
  /** `host:port` values that the Host header may have; see `hostsOf`. */
  readonly allowedHosts: readonly string[]
  /** Origins whose pages may call the API, as browsers name them: `https://app.example`. Default: none. */
  readonly corsOrigins?: readonly string[]
  readonly log: Log
  /** Default: tokens are needed once there is one, and nobody but their holders may do what only an owner may. */
  readonly access?: {
    /** Every caller needs a token, whether or not there are any. */
    readonly tokensRequired: boolean
    /** What callers send that could read the data folder: they may do everything. */
    readonly ownerSecret?: string
  }
  /** Ends held requests and event streams when the server closes. */
  readonly closing?: AbortSignal
}

/** What every request carries through its handlers. */
export interface Env {
  Variables: {
    requestId: string
    /** Set by the route's access, see `accessByRoute`: handlers of `open` and `link` routes have none. */
    caller: Caller
    door: Door
    /** Our own origin as this caller sees it, without a trailing slash; links start with it. */
    origin: string
  }
}

/** Who sends a request. */
export interface Caller {
  /** A token's id, or `local` for everybody where no tokens are needed. */
  readonly owner: string
  readonly scopes: readonly Scope[]
  readonly limits: TokenLimits
  /** May also see and cancel what others own, by its id. */
  readonly seesAll: boolean
}

export type App = OpenAPIHono<Env>
export type Context = HonoContext<Env>

/** The one owner check: rows of other owners do not exist for the caller. */
export function isOwn(c: Context, row: { readonly owner: string } | null | undefined): boolean {
  return row != null && row.owner === c.get('caller').owner
}

/** Whether the caller may see a row: its own, or any with the scope `admin`. */
export function maySee(c: Context, row: { readonly owner: string } | null | undefined): boolean {
  return row != null && (isOwn(c, row) || c.get('caller').seesAll)
}
