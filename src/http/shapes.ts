import type { Failure } from '../core/failure.ts'
import type { Attempt, Cost, PredictionStatus, Progress, WebhookEvent } from '../core/prediction.ts'

/**
 * Replicate's prediction, plus one key of ours. Times are ISO 8601 in UTC, durations seconds.
 *
 * @example
 * const { status, output, surefoot } = (await response.json()) as PredictionJson
 */
export interface PredictionJson {
  readonly id: string
  /** `owner/name`. */
  readonly model: string
  readonly version: string
  /** `owner/model@provider`, only where it was asked for. */
  readonly deployment?: string
  /** Files of ours appear as signed links. */
  readonly input: Readonly<Record<string, unknown>>
  /** Signed link to the verified file. */
  readonly output: string | null
  readonly status: PredictionStatus
  readonly error: string | null
  /** What was decided, a line each; last, while it runs, progress as tqdm writes it. */
  readonly logs: string
  readonly metrics: { readonly predict_time?: number; readonly total_time?: number }
  readonly created_at: string
  readonly started_at: string | null
  readonly completed_at: string | null
  /** Only with `Cancel-After`. */
  readonly deadline?: string
  readonly data_removed: boolean
  readonly source: 'api' | 'web'
  readonly urls: { readonly get: string; readonly cancel: string }
  readonly webhook?: string
  readonly webhook_events_filter?: readonly WebhookEvent[]
  readonly surefoot: SurefootJson
}

/** What Surefoot knows beyond Replicate's fields. */
export interface SurefootJson {
  readonly progress: Progress | null
  readonly failure: FailureJson | null
  /** Of all attempts together whose cost is known; those of unknown cost have `cost: null` in `/attempts`. */
  readonly cost: Cost | null
  /** Of the attempt that won, else of the latest. */
  readonly deployment: string | null
  /** What people must know about results of this model. */
  readonly notice: string | null
  readonly output: OutputJson | null
  /** Files that can be had of the output, made when they are asked for; absent where there are none. */
  readonly derivatives?: readonly DerivativeJson[]
  /** Only of a shadow run: the prediction that it repeats for a migration. Its output is compared and not kept. */
  readonly shadow_of?: string
  /** When input and output were removed because they were kept long enough; absent while they are kept. */
  readonly data_removed_at?: string
  /** Only where it is not the caller's own: whose it is. */
  readonly owner?: string
  /** True when nothing of it runs anywhere any more and its cost is final. */
  readonly settled: boolean
}

/** A file in another format; see docs/splats.md. */
export interface DerivativeJson {
  /** `scene.sog`. */
  readonly name: string
  readonly media_type: string
  /** For people. */
  readonly label: string
  /** Signed link. */
  readonly url: string
}

/** What a derivative that is still being made answers to `Prefer: respond-async`. */
export interface ConvertingJson {
  readonly status: 'converting'
  readonly name: string
  readonly progress: Progress
}

export type FailureJson = Pick<Failure, 'code' | 'message' | 'fault' | 'advice'>

/** The verified file; `facts` is what verification found in it. */
export interface OutputJson {
  readonly name: string
  readonly media_type: string
  readonly bytes: number
  readonly sha256: string
  readonly facts: Readonly<Record<string, unknown>>
}

/** `GET /v1/predictions/{id}/attempts`. */
export interface AttemptsJson {
  readonly attempts: readonly AttemptJson[]
  readonly decisions: readonly {
    readonly at: string
    readonly attempt: number | null
    readonly what: string
    readonly why: string
  }[]
}

/** One try of a prediction. */
export interface AttemptJson {
  readonly id: string
  readonly number: number
  readonly deployment: string
  readonly state: Attempt['state']
  /** The provider's own last status word. */
  readonly word: string | null
  readonly planned_at: string
  readonly submitted_at: string | null
  readonly queued_at: string | null
  readonly booting_at: string | null
  readonly running_at: string | null
  readonly collecting_at: string | null
  readonly ended_at: string | null
  readonly progress: Progress | null
  readonly restarts: number
  readonly output: OutputJson | null
  readonly failure: FailureJson | null
  readonly cost: Cost | null
  /** USD at worst case, taken from the budgets before the start; 0 where no price is known. */
  readonly reserved: number
  readonly release: Attempt['release']
}

/** Replicate's file. */
export interface FileJson {
  readonly id: string
  readonly name: string
  readonly content_type: string
  readonly size: number
  /** The published Python client refuses a file without one. */
  readonly etag: string
  readonly checksums: { readonly sha256: string }
  readonly metadata: Readonly<Record<string, unknown>>
  readonly created_at: string
  readonly expires_at: string | null
  readonly urls: { readonly get: string }
}

/** Replicate's model. */
export interface ModelJson {
  readonly url: string
  readonly owner: string
  readonly name: string
  readonly description: string
  readonly visibility: 'private'
  readonly github_url: null
  readonly paper_url: null
  readonly license_url: null
  readonly run_count: number
  readonly cover_image_url: null
  readonly default_example: null
  readonly latest_version: VersionJson
}

/** Replicate's model version. */
export interface VersionJson {
  readonly id: string
  readonly created_at: string
  readonly cog_version: string
  readonly openapi_schema: Readonly<Record<string, unknown>>
}

/** One page of a list, newest first. `previous` is always null: lists are walked from the newest on. */
export interface PageJson<T> {
  readonly next: string | null
  readonly previous: null
  readonly results: readonly T[]
}

/** Body of `POST /v1/predictions`; `version` or `model`, one of them. */
export interface CreateBody {
  readonly version?: string
  readonly model?: string
  readonly input: Readonly<Record<string, unknown>>
  readonly webhook?: string
  readonly webhook_events_filter?: readonly WebhookEvent[]
  readonly stream?: boolean
  /** Ours: `deployments` pins the prediction to these, in this order. */
  readonly surefoot?: { readonly deployments?: readonly string[] }
}
