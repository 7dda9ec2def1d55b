import type { Cost, PredictionStatus, Progress } from '../core/prediction.ts'
import type { WarmUp } from '../engine/contract.ts'

/** `GET /v1/models/{owner}/{name}/warm`: how deployments of a model would be warmed. Durations are seconds, money USD. */
export interface WarmPlansJson {
  /** The model's first choices first. */
  readonly deployments: readonly WarmPlanJson[]
}

export interface WarmPlanJson {
  /** `model@provider`. */
  readonly deployment: string
  /** What brings a worker: a `call`, or a small `run`. Null: nothing there can be warmed. */
  readonly by: 'call' | 'run' | null
  /** Why it is one of the model's first choices; null where it is none. */
  readonly choice: string | null
  /** Whether it may cost money. */
  readonly billed: boolean
  /** What is billed by the second beside a run: a worker's start, and the time that it idles. */
  readonly bills: readonly ('boot' | 'idle')[]
  /** Of one warm-up of a cold deployment. */
  readonly estimate: WarmEstimateJson | null
  /** Hours in which it is kept warm; null where none are configured. */
  readonly keep_warm: WarmWindowJson | null
  /** Runs that warmed it since midnight UTC, and what they cost as far as is known. No run's cost has the idle time after it. */
  readonly today: { readonly runs: number; readonly cost: number; readonly unpriced: number }
  /** Why the newest run that was to warm it failed; null where it did not, or there was none. */
  readonly failure: string | null
}

/** An estimate, and what it takes on trust. `amount` is null where no price is known. */
export interface WarmEstimateJson {
  readonly amount: number | null
  readonly seconds: number
  readonly assumptions: readonly string[]
}

export interface WarmWindowJson {
  /** `08:00-20:00 on mon, tue`. */
  readonly hours: string
  readonly time_zone: string
  readonly every_seconds: number
  readonly open: boolean
  /** One opening of the window on which nobody else uses the deployment: the most that it adds. */
  readonly estimate: WarmEstimateJson & {
    /** Warm-ups. */
    readonly times: number
    /** Whether a worker stays from one to the next, as far as is known. */
    readonly stays: boolean
  }
}

/** `POST /v1/models/{owner}/{name}/warm`. */
export interface WarmUpsJson {
  readonly warmups: readonly WarmUpJson[]
}

/** Whether a deployment is warm, and what was done about it. */
export interface WarmUpJson {
  readonly deployment: string
  readonly state: WarmUp['state']
  readonly message: string
  readonly advice: string | null
  /** The small run that warms, or did; null where there is none. */
  readonly run: WarmRunJson | null
}

export interface WarmRunJson {
  readonly id: string
  readonly status: PredictionStatus
  readonly progress: Progress | null
  /** Until a worker was at work; null before. */
  readonly ready_seconds: number | null
  /** Until its end; null before. */
  readonly seconds: number | null
  /** Null while nobody knows. Without the time that the worker idles after it. */
  readonly cost: Cost | null
  /** Nothing of it can change any more, its cost neither. */
  readonly settled: boolean
}
