import type { Breaker } from '../core/breaker.ts'
import type { JsonObject } from '../core/json.ts'
import type { MigrationAction, MigrationPlan, MigrationState, MigrationVerdict } from '../core/migration.ts'
import type { Pair, PairSummary } from '../core/migration-pairs.ts'
import type { Policy } from '../core/policy.ts'
import type { WebhookEvent } from '../core/prediction.ts'
import type { Measured } from '../core/statistics.ts'
import type { Model } from '../models/contract.ts'
import type { Health, Provider } from '../providers/contract.ts'
import type { FileRow, ListQuery, StoredPrediction } from '../store/contract.ts'
import type { Uploads } from './uploads.ts'

/** A model on a provider. */
export interface Deployment {
  /** `model@provider`. */
  readonly name: string
  readonly providerName: string
  readonly provider: Provider
  /** As the provider's `parseTarget` returned it. */
  readonly target: JsonObject
  /** Most attempts at the same time. */
  readonly concurrency: number
  /** Most starts within any 60 seconds, by all processes together. Default: no limit. */
  readonly startsPerMinute?: number
  /** Share of traffic under `weighted` routing. Default 1. */
  readonly weight?: number
}

/** A model with the deployments it may run on, in order of preference. */
export interface Route {
  readonly model: Model
  readonly deployments: readonly Deployment[]
  readonly policy: Policy
  /**
   * Every deployment that is configured for the model, on its route or not, and the policy of predictions that are pinned
   * to some of them. Default: those of the route.
   */
  readonly pinnable?: Pick<Route, 'deployments' | 'policy'>
  /** How the model moves from one of the route's deployments to another. Default: it stays. */
  readonly migration?: MigrationPlan
}

/** One deployment as real traffic shows it. */
export interface DeploymentReport {
  /** `model@provider`. */
  readonly name: string
  /** `owner/name` of the model. */
  readonly model: string
  readonly providerName: string
  /** The provider's kind, for display. */
  readonly kind: string
  /** From the latest attempts, at most 200. */
  readonly measured: Measured
  readonly breaker: Breaker
  /** Declared, in USD; null when unknown. */
  readonly pricePerSecond: number | null
  /** Date of the price list that it comes from, `YYYY-MM-DD`; null where it comes from none. */
  readonly pricesAsOf: string | null
  /** Whether attempts there may cost money: not on this machine, and not at an emulator on it. */
  readonly billed: boolean
  /** On its model's route; else only predictions that are pinned to it run there. */
  readonly routed: boolean
  readonly concurrency: number
}

/** Where a migration stands, and what it goes by. */
export interface MigrationReport {
  /** `owner/name`. */
  readonly model: string
  readonly state: MigrationState
  /** What would be decided now. */
  readonly verdict: MigrationVerdict
  /** False while another process has begun one with another plan: then this one only follows it. */
  readonly configured: boolean
  /** Measured by all that is remembered of it, at most 200 attempts. */
  readonly from: MigrationSide
  /** Measured by its attempts since the stage began. */
  readonly to: MigrationSide
  /** Newest first, at most 200. */
  readonly pairs: readonly Pair[]
  readonly summary: PairSummary
}

export interface MigrationSide {
  readonly name: string
  /** Of predictions, whose first choice it is. */
  readonly percent: number
  readonly measured: Measured
}

/** What the front (HTTP, command line, Next.js) may ask of the engine. */
export interface Engine {
  /**
   * Stores a prediction and begins it. Answers once it is durable. Throws `SurefootError`: `input_invalid`,
   * `input_too_large`, `storage_full`, `no_route_for_bytes`; nothing has been spent then.
   */
  create(request: CreateRequest): Promise<StoredPrediction>
  /** The newest record; a prediction whose deadline has passed is ended before it is shown. */
  get(id: string): Promise<StoredPrediction | null>
  list(query: ListQuery): Promise<readonly StoredPrediction[]>
  /** Asks for the end; a finished prediction stays what it was. Null when there is none. */
  cancel(id: string): Promise<StoredPrediction | null>
  /** The record now and after each change, until it is terminal (inclusive) or the signal ends. */
  watch(id: string, options: { signal: AbortSignal; afterVersion?: number }): AsyncIterable<StoredPrediction>
  /**
   * A provider's webhook: verifies, stores, answers after the commit. `body` is asked for only once the address has proved
   * to be ours: before that anybody may be on the line, with megabytes to hold on to.
   */
  hear(
    providerName: string,
    attemptId: string,
    secret: string,
    request: { headers: Headers; body(): Promise<Uint8Array> },
  ): Promise<void>
  /** Stores a file for later use as an input. */
  addFile(request: AddFileRequest): Promise<FileRow>
  /** Takes in what a kit brings; who may was checked by the link. */
  readonly upload: Uploads['put']
  /** What real traffic says about every deployment of every route. */
  report(): Promise<readonly DeploymentReport[]>
  /** Where each configured migration stands. */
  migrations(): Promise<readonly MigrationReport[]>
  /** What a person asks of one, by model (`owner/name`). Throws `input_invalid`: 404 where there is none, 409 where it cannot be done. */
  migrate(model: string, action: MigrationAction): Promise<MigrationReport>
  /** What the provider says of a deployment's queue and workers; null where it says nothing. Rejects when it cannot be asked. */
  health(deployment: string): Promise<Health | null>
  readonly routes: ReadonlyMap<string, Route>
  start(): Promise<void>
  /** Ends loops and calls; leases are given back, running work stays where it is and is picked up on the next start. */
  stop(): Promise<void>
}

/** URLs by which providers reach us; each null without a public base URL. */
export interface Links {
  /** Signed GET of a stored file. */
  input(key: string, name: string, expiresAt: number): string | null
  /** Signed PUT for one output of an attempt. */
  upload(attemptId: string, name: string, expiresAt: number): string | null
  webhook(providerName: string, attemptId: string, secret: string): string | null
}

/** One line for whoever operates the gateway; never holds secrets, signed URLs or bodies. */
export type Log = (level: 'info' | 'warn' | 'error', message: string, fields?: JsonObject) => void

export interface CreateRequest {
  readonly model: string
  readonly owner: string
  readonly source: 'api' | 'web'
  /** File fields may hold http(s) URLs (fetched safely) or data URIs; files that we already have come in `files`. */
  readonly input: JsonObject
  /** Input field -> id of a stored file, for every file field that was given. */
  readonly files: { readonly [field: string]: FileRow }
  /** Ids of those that were stored for this very request: nobody else needs them as they came. Default: none. */
  readonly newFiles?: readonly string[]
  /** From `Cancel-After`; null uses the policy's deadline. */
  readonly cancelAfterMs: number | null
  readonly webhook: { readonly url: string; readonly events: readonly WebhookEvent[] } | null
  /** Runs on these deployments only, in this order; each must be configured for the model. Default: the model's route. */
  readonly deployments?: readonly string[]
}

export interface AddFileRequest {
  readonly owner: string
  /** As the sender stated it; kept without what no name should have, see `toFileName`. */
  readonly name: string
  /** As the sender stated it; what the bytes are is checked when the file is used. */
  readonly mediaType: string
  readonly metadata: JsonObject
  readonly body: AsyncIterable<Uint8Array>
  readonly maxBytes: number
  readonly signal?: AbortSignal
}
