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
import type { Rates } from './rates.ts'

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
  /** Aborted as soon as the process is asked to end, when it still serves: `/readyz` then says no. Default: `closing` alone. */
  readonly leaving?: AbortSignal
  /** How fast each caller calls. Default: this app's own count. */
  readonly rates?: Rates
  /** Ends held requests and event streams when the server closes. */
  readonly closing?: AbortSignal
}

/** What an app's own sign-in says of a request's sender. */
export interface Visitor {
  /** Who it is, 1 to 200 characters; others never see what belongs to this one. Two apps on one database share these names. */
  readonly user: string
  /** What this one may use. Default: no limits. */
  readonly limits?: Partial<TokenLimits>
  /** Default: create and cancel predictions and store files (`predict`), and read what is its own (`read`). */
  readonly scopes?: readonly Scope[]
}

/** What holds for one request of an app that is mounted in another one; see `mount.ts`. */
export interface Mounted {
  /** Where the app is, such as `/api/surefoot`: in links, not in what it gets as paths. */
  readonly base: string
  /** Aborts when this request must come to its end. */
  readonly closing: AbortSignal
  /** Asked at most once, and only where something is asked of the sender; null: nobody who may come in. */
  visitor(): Promise<Visitor | null>
}

/** What every request carries through its handlers. */
export interface Env {
  Bindings: { readonly mounted?: Mounted }
  Variables: {
    requestId: string
    /** The request comes from another origin's page, which may only use tokens. */
    isForeign?: boolean
    /** Set by the route's access, see `accessByRoute`: handlers of `open` and `link` routes have none. */
    caller: Caller
    door: Door
    /** Our own origin as this caller sees it, with the base where the app is mounted, without a trailing slash; links start with it. */
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

/** Each aborts when what is held for this request must end: its sender has gone, or the server or its own time is over. */
export function endsOf(c: Context, { closing }: Pick<AppDependencies, 'closing'>): readonly AbortSignal[] {
  return [c.req.raw.signal, closing, c.env?.mounted?.closing].filter(signal => signal !== undefined)
}

/** The one owner check: rows of other owners do not exist for the caller. */
export function isOwn(c: Context, row: { readonly owner: string } | null | undefined): boolean {
  return row != null && row.owner === c.get('caller').owner
}

/** Whether the caller may see a row: its own, or any with the scope `admin`. */
export function maySee(c: Context, row: { readonly owner: string } | null | undefined): boolean {
  return row != null && (isOwn(c, row) || c.get('caller').seesAll)
}
