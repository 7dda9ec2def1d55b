import type { Breaker } from '../core/breaker.ts'
import type { Figure, Wish } from '../core/recommend.ts'
import type { Health } from '../providers/contract.ts'

/** `GET /v1/providers`: what real traffic says about each deployment. Times are ISO 8601 in UTC, durations seconds, money USD. */
export interface ProvidersJson {
  /** So many attempts make figures worth deciding by; below, recommendations use declared ones. */
  readonly enough_samples: number
  readonly deployments: readonly DeploymentJson[]
  /** One for each model; empty unless the query says what to prefer. */
  readonly recommendations: readonly RecommendationJson[]
}

/** One model on one provider. */
export interface DeploymentJson {
  /** `model@provider`. */
  readonly name: string
  /** `owner/name`. */
  readonly model: string
  readonly provider: string
  /** The provider's kind, for display. */
  readonly kind: string
  /** On its model's route; else only predictions that are pinned to it run there. */
  readonly routed: boolean
  /** Whether attempts there may cost money. */
  readonly billed: boolean
  /** Most attempts at the same time. */
  readonly concurrency: number
  /** Declared; null when unknown. `as_of` is the date of the price list, null where the configuration states the price. */
  readonly price: { readonly per_second: number; readonly as_of: string | null } | null
  readonly breaker: { readonly state: Breaker['state']; readonly until: string | null; readonly why: string | null }
  readonly measured: MeasuredJson
  /** What the provider says of its queue and workers; null unless asked for, and where it says nothing. */
  readonly health: Health | null
}

/** From the latest attempts, at most 200. What nobody has seen yet is null, never zero. */
export interface MeasuredJson {
  /** Attempts that say something about the deployment: won, or failed by its fault. */
  readonly samples: number
  readonly won: number
  /** Share that won, 0 to 1, with its 95 % Wilson interval. */
  readonly success: { readonly rate: number; readonly low: number; readonly high: number } | null
  /** From the start to the verified output, of attempts that won; then its parts. */
  readonly total: SpreadJson | null
  readonly queue: SpreadJson | null
  readonly boot: SpreadJson | null
  readonly run: SpreadJson | null
  readonly collect: SpreadJson | null
  /** USD of all attempts, failed, cancelled and losing ones included, for each that won. */
  readonly cost_per_image: number | null
  /** Attempts whose cost nobody knows; `cost_per_image` is too low by theirs. */
  readonly unpriced: number
  readonly stalls: number
  readonly restarts: number
}

/** Percentiles in seconds, and of how many values. */
export interface SpreadJson {
  readonly samples: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Which deployment of a model fits a wish, and why. */
export interface RecommendationJson {
  readonly model: string
  readonly prefer: Wish['prefer']
  /** Null when every deployment is out. */
  readonly deployment: string | null
  /** What the figure that decided is; null where nothing decided but the order of the configuration. */
  readonly basis: Figure['basis'] | null
  readonly reasons: readonly string[]
  /** What had to be taken on trust, dated. */
  readonly assumptions: readonly string[]
  /** Best first. `excluded` says why one is out. */
  readonly ranking: readonly {
    readonly name: string
    readonly cost: Figure | null
    readonly seconds: Figure | null
    readonly slow_seconds: Figure | null
    readonly reliability: Figure | null
    readonly excluded: string | null
  }[]
}
