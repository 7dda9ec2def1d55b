import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context as HonoContext } from 'hono'
import type { Clock } from '../core/clock.ts'
import type { Derivatives } from '../derivatives/contract.ts'
import type { Engine, Log } from '../engine/contract.ts'
import type { FileStore } from '../files/contract.ts'
import type { Signer } from '../files/signing.ts'
import type { Store } from '../store/contract.ts'

/** What the front is made of. Nothing is opened, listened to or read from the environment here. */
export interface AppDependencies {
  readonly engine: Engine
  readonly store: Pick<
    Store,
    'get' | 'putFile' | 'getFile' | 'listFiles' | 'deleteFile' | 'predictionOf' | 'secret' | 'now'
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
  readonly log: Log
  /** Ends held requests and event streams when the server closes. */
  readonly closing?: AbortSignal
}

/** What every request carries through its handlers. */
export interface Env {
  Variables: {
    requestId: string
    /** Whose predictions and files this request may see: `local` until there are tokens. */
    owner: string
    /** Our own origin as this caller sees it, without a trailing slash; links start with it. */
    origin: string
  }
}

export type App = OpenAPIHono<Env>
export type Context = HonoContext<Env>

/** The one owner check: rows of other owners do not exist for the caller. */
export function isOwn(c: Context, row: { readonly owner: string } | null | undefined): boolean {
  return row != null && row.owner === c.get('owner')
}
