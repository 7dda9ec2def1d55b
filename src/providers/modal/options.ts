import { z } from 'zod'
import type { JsonObject } from '../../core/json.ts'
import type { Warmth } from '../contract.ts'
import {
  type CommonTarget,
  commonTarget,
  type IdleTarget,
  idleOf,
  idleTarget,
  parseOptionsOf,
  parseTargetOf,
  vendorUrl,
} from '../option-schemas.ts'
import { checkPrice } from '../price-list.ts'
import { prices } from './prices.ts'

/** Where the vendor's API is. */
export const vendorBaseUrl: string = 'https://api.modal.com'

/** What `modal()` takes: a token for functions that are called by name, or none of that for web endpoints. */
export type ModalOptions = ModalFunctionOptions | ModalWebOptions

/** For functions that are called by name. Needs the package `modal@0.11.1` beside surefoot. */
export interface ModalFunctionOptions {
  readonly mode?: 'functions'
  /** `ak-...`. Sent to `baseUrl` only, like the secret. */
  readonly tokenId: string
  /** `as-...` */
  readonly tokenSecret: string
  /** The workspace's environment where a target does not name one. Default: the workspace's own default. */
  readonly environment?: string
  /** Another place that speaks this API: an emulator. Default: the vendor's. */
  readonly baseUrl?: string
  /** Handed to the vendor's SDK, which calls them around every RPC: for tracing, or to answer in the vendor's place. */
  readonly grpcMiddleware?: readonly GrpcMiddleware[]
}

/** For web endpoints, of which only the URL is known. Needs no package. */
export interface ModalWebOptions {
  readonly mode: 'web'
  /** `wk-...` and `ws-...`: for endpoints that require proxy authentication. Sent to the targets' URLs only. */
  readonly proxyKey?: string
  readonly proxySecret?: string
  /** Where the targets are instead of Modal: an emulator. Outputs may be downloaded from there, although it is this machine. */
  readonly baseUrl?: string
}

/** A client middleware of `nice-grpc`, as far as it must be known here. */
export type GrpcMiddleware = (call: GrpcCall, options: GrpcOptions) => AsyncGenerator<never, object, undefined>

/** One RPC on its way through the middlewares. */
export interface GrpcCall {
  /** `/modal.client.ModalClient/<name>` */
  readonly method: { readonly path: string }
  readonly request: object
  next(request: object, options: GrpcOptions): AsyncGenerator<never, object, undefined>
}

export interface GrpcOptions {
  readonly signal?: AbortSignal
  readonly metadata?: Iterable<[string, readonly (string | Uint8Array)[]]>
  readonly onTrailer?: (trailer: { get(name: string): string | Uint8Array | undefined }) => void
}

interface ContainerTarget extends CommonTarget, IdleTarget {
  /** Physical cores and GiB of memory of one container, for its price; they are billed beside the GPU. */
  readonly cores?: number
  readonly memoryGib?: number
}

/** A deployed function, or a method of a class without parameters. */
export interface ModalFunctionTarget extends ContainerTarget {
  readonly app: string
  /** `predict`, or `Model.predict` for a method. */
  readonly function: string
  /** Default: the options' environment. */
  readonly environment?: string
  /** How the input arrives: each field as a keyword argument (default), or all of them as one dict. */
  readonly arguments?: 'keywords' | 'dict'
  /** How files arrive: as a URL or, where there is none, a data URI (default), or as `bytes`. */
  readonly files?: 'url' | 'bytes'
  /** Cancelling kills the container too: for functions that do not stop otherwise. Default false. */
  readonly terminateContainers?: boolean
}

/** A web endpoint that takes the input as JSON by POST. */
export interface ModalWebTarget extends ContainerTarget {
  /** `https://<workspace>--<label>.modal.run` and a path. */
  readonly url: string
}

const name = z.string().regex(/^[\w.-]+$/, 'must be a name')
const secret = z.string().min(1, 'must not be empty')

const functionOptionsSchema = z.strictObject({
  mode: z.literal('functions').default('functions'),
  tokenId: secret,
  tokenSecret: secret,
  environment: name.optional(),
  baseUrl: vendorUrl(vendorBaseUrl),
  grpcMiddleware: z.array(z.custom<GrpcMiddleware>(each => typeof each === 'function')).default([]),
})

const webOptionsSchema = z
  .strictObject({
    mode: z.literal('web'),
    proxyKey: secret.optional(),
    proxySecret: secret.optional(),
    baseUrl: vendorUrl().optional(),
  })
  .refine(({ proxyKey, proxySecret }) => (proxyKey === undefined) === (proxySecret === undefined), {
    message: 'is needed together with the other one',
    path: ['proxySecret'],
  })

const containerTarget = {
  ...commonTarget,
  ...idleTarget,
  cores: z.number().nonnegative().optional(),
  memoryGib: z.number().nonnegative().optional(),
}

const functionTargetSchema = z.strictObject({
  app: name,
  function: z.string().regex(/^\w+(\.\w+)?$/, 'must be "function" or "Class.method"'),
  environment: name.optional(),
  arguments: z.enum(['keywords', 'dict']).optional(),
  files: z.enum(['url', 'bytes']).optional(),
  terminateContainers: z.boolean().optional(),
  ...containerTarget,
})

const webTargetSchema = z.strictObject({ url: vendorUrl(), ...containerTarget })

/** Options as they are after defaults. */
export interface ReadyFunctionOptions extends Required<Omit<ModalFunctionOptions, 'environment'>> {
  readonly environment?: string
}

/** Options with their defaults; fails with `input_invalid` naming the wrong field. */
export function parseOptions(options: ModalOptions): ReadyFunctionOptions | ModalWebOptions {
  if (options.mode === 'web') return parseOptionsOf<ModalWebOptions>('modal', webOptionsSchema, options)
  return parseOptionsOf<ReadyFunctionOptions>('modal', functionOptionsSchema, options)
}

/** A function's target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseFunctionTarget(target: unknown): ModalFunctionTarget & JsonObject {
  const parsed = parseTargetOf<ModalFunctionTarget & JsonObject>('modal', functionTargetSchema, target)
  checkPrice('modal', parsed, prices)
  return parsed
}

/** A web endpoint's target as config or the store gives it; fails with `deployment_missing` naming the wrong field. */
export function parseWebTarget(target: unknown): ModalWebTarget & JsonObject {
  const parsed = parseTargetOf<ModalWebTarget & JsonObject>(
    'modal',
    webTargetSchema as z.ZodType<ModalWebTarget & JsonObject>,
    target,
  )
  checkPrice('modal', parsed, prices)
  return parsed
}

/**
 * What keeping a container takes. One that nothing uses stays for `scaledown_window`, 60 s by default, and all of its life is
 * billed. Sources: modal.com/docs/guide/cold-start, modal.com/pricing.
 */
export function warmthOf(target: IdleTarget): Warmth {
  return { ...idleOf(target, 60), bills: ['boot', 'idle'], wokenBy: 'run', keptBy: 'run' }
}
