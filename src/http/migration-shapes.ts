import type { MigrationPlan, MigrationStage } from '../core/migration.ts'
import type { MeasuredJson } from './provider-shapes.ts'

/** `GET /v1/migrations`: models that move from one deployment to another. Times are ISO 8601 in UTC, durations seconds, money USD. */
export interface MigrationsJson {
  readonly migrations: readonly MigrationJson[]
}

/** Where the traffic of one model stands between two deployments. */
export interface MigrationJson {
  /** `owner/name`. */
  readonly model: string
  readonly plan: MigrationPlan
  readonly stage: MigrationStage['name']
  /** Of `plan.steps`, from 0; null outside the steps. */
  readonly step: number | null
  /** When the stage began. */
  readonly since: string
  /** A person holds it: nothing is judged. */
  readonly paused: boolean
  /** False while another process has begun one with another plan than this gateway's: all of them go by that. */
  readonly configured: boolean
  /** By all that is remembered of it, at most 200 attempts. */
  readonly from: MigrationSideJson
  /** By its attempts since the stage began; rolled back: since the one began that led there. */
  readonly to: MigrationSideJson
  readonly pairs: PairsJson
  /** What the facts say now: `up` and `back` are done within seconds, `stay` waits for what is `missing`. */
  readonly verdict: {
    readonly kind: 'stay' | 'up' | 'back'
    readonly why: string | null
    readonly missing: readonly string[]
  }
  /** Oldest first, the latest 20. */
  readonly history: readonly { readonly at: string; readonly what: string; readonly why: string }[]
}

export interface MigrationSideJson {
  /** `model@provider`. */
  readonly deployment: string
  /** Of predictions, whose first choice it is to be in this stage. */
  readonly percent: number
  /**
   * Attempts there since the stage began, warm-ups left out: first choices, failovers, pinned ones and shadow runs. Where
   * there were more than 200 at one of the two, those at both since the oldest of its newest 200.
   */
  readonly attempts: number
  /** Its breaker is open: nothing goes there until then. Null where something may. */
  readonly out: { readonly until: string; readonly why: string } | null
  readonly measured: MeasuredJson
}

/** Predictions with their shadow runs, both ended. */
export interface PairsJson {
  readonly compared: number
  readonly both: number
  readonly only_from: number
  readonly only_to: number
  readonly neither: number
  /** Of those where both succeeded. */
  readonly differ: number
  /** Medians, of pairs where both succeeded. */
  readonly seconds: { readonly from: number; readonly to: number } | null
  readonly cost: { readonly from: number | null; readonly to: number | null }
  /** Newest first, at most 20. */
  readonly latest: readonly {
    readonly prediction: string
    readonly shadow: string
    readonly from: PairSideJson
    readonly to: PairSideJson
    /** What differs between the outputs; null where there are not two. */
    readonly differences: readonly string[] | null
  }[]
}

export interface PairSideJson {
  readonly succeeded: boolean
  readonly seconds: number | null
  readonly cost: number | null
}
