import type { Breaker } from '../core/breaker.ts'
import type { JsonObject } from '../core/json.ts'
import type { MigrationAction, MigrationPlan, MigrationState, MigrationVerdict } from '../core/migration.ts'
import type { Pair, PairSummary } from '../core/migration-pairs.ts'
import type { Policy } from '../core/policy.ts'
import type { PredictionRecord, WebhookEvent } from '../core/prediction.ts'
import type { DailyWindow } from '../core/schedule.ts'
import type { Measured } from '../core/statistics.ts'
import type { TokenLimits } from '../core/token.ts'
import type { WarmEstimate, WindowCount } from '../core/warm-cost.ts'
import type { Model } from '../models/contract.ts'
import type { Health, Provider, Warmth } from '../providers/contract.ts'
import type { FileRow, ListQuery, Standing, StoredPrediction } from '../store/contract.ts'
import type { EngineTally } from './engine-tally.ts'
import type { PendingFiles } from './pending-files.ts'
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
  /** When it is kept warm. Default: never. */
  readonly keepWarm?: KeepWarm
}

/** In which hours a deployment is warmed after how long without use. */
export interface KeepWarm {
  readonly window: DailyWindow
  /** IANA name of the zone whose clocks the window goes by. */
  readonly timeZone: string
  readonly everyMs: number
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
  /** False while another process has begun one with another plan than this one's: all of them go by that. */
  readonly configured: boolean
  /** Measured by all that is remembered of it, at most 200 attempts. */
  readonly from: MigrationSide
  /** Measured by its attempts since the stage began; rolled back: since the one began that led there. */
  readonly to: MigrationSide
  /** Newest first, at most 200. */
  readonly pairs: readonly Pair[]
  readonly summary: PairSummary
}

export interface MigrationSide {
  readonly name: string
  /** Of predictions, whose first choice it is to be in this stage. */
  readonly percent: number
  /**
   * Attempts there since the stage began, warm-ups left out: first choices, failovers, pinned ones and shadow runs. Where
   * there were more than 200 at one of the two, those at both since the oldest of its newest 200.
   */
  readonly attempts: number
  readonly measured: Measured
}

/** Whether a deployment is warm, and what was done about it. */
export interface WarmUp {
  /** `model@provider`. */
  readonly deployment: string
  /**
   * `ready`: a worker is there. `waking`: one starts. `asked`: one was asked for, and the vendor does not tell when it is there.
   * `cold`: only a run brings one, and none was wanted. `never`: nothing there can be warmed. `failed`: see `message`.
   */
  readonly state: 'ready' | 'waking' | 'asked' | 'cold' | 'never' | 'failed'
  /** One sentence. */
  readonly message: string
  /** What to do next; null where nothing is. */
  readonly advice: string | null
  /** The small prediction that warms, or did; null where there is none. */
  readonly run: PredictionRecord | null
}

/** How a deployment of a model would be warmed, and what that costs. */
export interface WarmPlan {
  /** `model@provider`. */
  readonly deployment: string
  /** What brings a worker; null where nothing there can be warmed. */
  readonly by: 'call' | 'run' | null
  /** Why it is one of the model's first choices; null where it is none. */
  readonly choice: string | null
  /** Whether it may cost money; see `DeploymentReport`. */
  readonly billed: boolean
  /** What is billed beside a run; see `Warmth`. */
  readonly bills: Warmth['bills']
  /** Of one warm-up; null where nothing there can be warmed. */
  readonly estimate: WarmEstimate | null
  readonly keepWarm: WarmWindow | null
  /** Runs that warmed it since midnight UTC, and what they cost in USD as far as is known. Idle time after them is in no run's cost. */
  readonly today: { readonly runs: number; readonly cost: number; readonly unpriced: number }
  /** Why the newest run that was to warm it failed; null where it did not, or there was none. */
  readonly failure: string | null
}

/** Hours in which a deployment is kept warm, and what one day of them costs on which nobody else uses it. */
export interface WarmWindow extends KeepWarm {
  readonly isOpen: boolean
  readonly estimate: WarmEstimate & WindowCount
}

/** Warming deployments ahead of use. */
export interface Warmer {
  /**
   * Sees to it that a worker is there, with a small run where nothing less brings one and `run` allows it. Asking again while
   * one starts changes nothing. Throws `input_invalid` (404) for a deployment that is not configured.
   */
  warm(deployment: string, options: { readonly run: boolean }): Promise<WarmUp>
  /** The same about a run that warms; null where there is none of this id. */
  look(id: string): Promise<WarmUp | null>
  /** Every deployment of a model (`owner/name`), the first choices first; `input_invalid` (404) where there is no such model. */
  plan(model: string): Promise<readonly WarmPlan[]>
}

/** What the front (HTTP, command line, Next.js) may ask of the engine. */
export interface Engine {
  /**
   * Stores a prediction and begins it. Answers once it is durable. Throws `SurefootError`: `input_invalid`,
   * `input_too_large`, `storage_full`, `no_route_for_bytes`, `rate_limited` (429) or `budget_exceeded` (402) where the
   * owner's limits have no room; nothing has been spent then.
   */
  create(request: CreateRequest): Promise<StoredPrediction>
  /**
   * The newest record; a prediction whose deadline has passed is ended before it is shown. With an `owner`, predictions of
   * others are as if they were not there: nothing is done with them.
   */
  get(id: string, owner?: string): Promise<StoredPrediction | null>
  list(query: ListQuery): Promise<readonly StoredPrediction[]>
  /** Asks for the end; a finished prediction stays what it was. Null when there is none. */
  cancel(id: string): Promise<StoredPrediction | null>
  /** Sends webhooks that wait for their next try or are dead, by the id of their prediction. Null when there is none. */
  resend(id: string): Promise<StoredPrediction | null>
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
  /**
   * Makes a place for a file that its owner is going to upload by itself. Fails as `addFile` does, before a byte has come:
   * `input_too_large`, `rate_limited`, `storage_full`.
   */
  addPlace(request: PlaceRequest): Promise<FilePlace>
  /** Takes in what is uploaded to a place; who may was checked by the link. */
  readonly putFile: PendingFiles['put']
  /**
   * A stored file; one that was uploaded to a place is taken in now. Null where there is none, or `may` says no, which is asked
   * before anything is done. Fails as `input_invalid` with status 409 while nothing was uploaded there.
   */
  findFile(id: string, may: (row: { readonly owner: string }) => boolean): Promise<FileRow | null>
  /** Removes a stored file, and its bytes where no other file shares them. No error when there is none. */
  removeFile(id: string): Promise<void>
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
  figures(): Promise<EngineFigures>
  /** Why new work should go to another process, in one sentence; null where nothing is in its way. Rejects where that cannot be found out. */
  obstacle(): Promise<string | null>
  /** Warming deployments ahead of use. */
  readonly warmer: Warmer
  readonly routes: ReadonlyMap<string, Route>
  /**
   * Where nothing lives longer than a request: the engine is awake while `work` runs, and asleep again, with nothing under
   * way and no lease held, before this resolves or rejects, as far as the turn's time goes. Turns may overlap; it sleeps after the last. In a process whose
   * loops run (`start`), `work` is all that happens. Rejects as `work` does, or when the store cannot be reached.
   */
  turn<T>(work: (turn: Turn) => Promise<T>, options?: TurnOptions): Promise<T>
  start(): Promise<void>
  /** Ends loops and calls; leases are given back, running work stays where it is and is picked up on the next start. */
  stop(): Promise<void>
}

/** What an operator watches: what this process has counted since it began, and how things stand. */
export interface EngineFigures {
  readonly tally: EngineTally
  /** Predictions whose lease this process holds. */
  readonly held: number
  /** For how long it may still begin effects without renewing its leases; null where no loops run. */
  readonly leaseLeftMs: number | null
  readonly isStoreFailing: boolean
  readonly deployments: readonly {
    readonly name: string
    readonly concurrency: number
    readonly breaker: Breaker['state']
  }[]
  /** USD of all attempts sent since midnight (UTC), by all processes; as of the last reading. */
  readonly spentToday: number
  /** Of all processes, at most 5 s old; null while the store does not answer. */
  readonly stored: Standing | null
  /** Of outputs and files, at most five minutes old; null while the store does not answer. */
  readonly keptBytes: number | null
  /** Beyond it the oldest are removed; null: never. */
  readonly keptLimit: number | null
  /** Bytes for which there is room; null where nobody can say. */
  readonly roomBytes: number | null
  /** With less room than that nothing new is taken on. */
  readonly spareBytes: number
}

/** What a request does with its time. */
export interface Turn {
  /**
   * Advances a prediction (default: none in particular; with an `owner` only one of that owner) and waits until nothing is under way any more, and nothing is due
   * within the next `forMs` (default 0), or the turn's time is over. At once where loops run.
   */
  advance(options?: { readonly id?: string; readonly owner?: string; readonly forMs?: number }): Promise<void>
  /** Removes what was kept long enough, judges migrations, keeps deployments warm: what loops do elsewhere, once. */
  keepHouse(): Promise<void>
  /** Aborts when the turn's time is over. Never where loops run. */
  readonly signal: AbortSignal
}

export interface TurnOptions {
  /** How long `advance` waits at most, and when `signal` aborts. Default: `EngineDependencies.turnMs`. */
  readonly limitMs?: number
  /** Most due records of others that are picked up. Default 8: a request serves its sender first. */
  readonly others?: number
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
  /** What its owner may have. Default: no limits. */
  readonly limits?: TokenLimits
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
  /**
   * The caller's name for this request: repeated with the same request it gives the same prediction, as it is then; with
   * another it fails as `input_invalid` (409). Default: each request makes a prediction.
   */
  readonly idempotencyKey?: string
}

export interface AddFileRequest {
  readonly owner: string
  /** What its owner may have: `fileBytes` and `storedBytes` of it count here. Default: no limits. */
  readonly limits?: TokenLimits
  /** As the sender stated it; kept without what no name should have, see `toFileName`. */
  readonly name: string
  /** As the sender stated it; what the bytes are is checked when the file is used. */
  readonly mediaType: string
  readonly metadata: JsonObject
  readonly body: AsyncIterable<Uint8Array>
  readonly maxBytes: number
  readonly signal?: AbortSignal
}

export interface PlaceRequest extends Omit<AddFileRequest, 'body' | 'signal'> {
  /** Of the file that is going to be uploaded, exactly. */
  readonly bytes: number
}

/** Where one file may be uploaded. */
export interface FilePlace {
  /** The file's. */
  readonly id: string
  /** What may be PUT there: see `OutsideAccess.writeUrl`. Null where bytes go through the gateway (`putFile`). */
  readonly url: string | null
  /** The media type that the PUT must state. */
  readonly mediaType: string
  /** Milliseconds since 1970 until which the PUT must have begun. */
  readonly until: number
}
