import type { Breaker } from './breaker.ts'
import type { Measured } from './statistics.ts'

/** What `step` may know about one deployment at this moment: a small snapshot, never a live object. */
export interface DeploymentWorld {
  readonly name: string
  /** Free places under the deployment's concurrency limit; reservations are checked again in the store's transaction. */
  readonly free: number
  /** Not before this moment (Retry-After, rate limit); 0 when open. */
  readonly closedUntil: number
  /** Provider can be asked again (`poll`), searched (`find`), stopped (`cancel`). */
  readonly canPoll: boolean
  readonly canFind: boolean
  readonly canCancel: boolean
  /** How often to ask while something runs there. */
  readonly pollMs: number
  /** The connection of a start is the run itself: it is held until the end, and a cut means unknown. */
  readonly heldStart: boolean
  /** Runs may show nothing between their start and their end. */
  readonly silent: boolean
  /** How long a start, and any other call, may take before its answer counts as lost. */
  readonly startTimeoutMs: number
  readonly callTimeoutMs: number
  /** Price of one second of work there, in USD; null when unknown. */
  readonly pricePerSecond: number | null
  /** An empty answer of `find` proves that nothing was started and nothing ever will be. */
  readonly findIsExact: boolean
  /** Share of the route's traffic under `weighted` routing, relative to the others' weights. */
  readonly weight: number
  /** What real traffic says; null before anything was read. */
  readonly measured: Measured | null
  readonly breaker: Breaker
}

export interface World {
  /** Deployments of the prediction's route, in order of preference. */
  readonly route: readonly DeploymentWorld[]
  /** Why the first of them is the first, where something else than the configuration has decided that. */
  readonly routeWhy?: string
  /** Every deployment that an attempt of this prediction may still be bound to, by name. */
  readonly deployments: { readonly [name: string]: DeploymentWorld }
  /** USD of all attempts sent since midnight UTC. */
  readonly spentToday: number
  /** Whether the process that steps holds the lease: only then may effects begin. */
  readonly mayBegin: boolean
  /** The process that would begin them. */
  readonly engine: string
  /**
   * True where this process is known to be the only living one (an owned data folder): effects that other engines began
   * are then orphans at once instead of after their time limit.
   */
  readonly alone: boolean
  /** A fresh unguessable id, and dice for jitter; passed in so that a seed replays a run. */
  newId(): string
  /** In [0, 1). */
  jitter(): number
}
