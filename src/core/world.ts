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
  /** Price of one second of work there, in USD; null when unknown. */
  readonly pricePerSecond: number | null
}

export interface World {
  /** Deployments of the prediction's route, in order of preference. */
  readonly route: readonly DeploymentWorld[]
  /** Every deployment that an attempt of this prediction may still be bound to, by name. */
  readonly deployments: { readonly [name: string]: DeploymentWorld }
  /** Whether the process that steps holds the lease: only then may effects begin. */
  readonly mayBegin: boolean
  /** The process that would begin them. */
  readonly engine: string
  /** Fresh unguessable ids and jitter for this step, so that `step` itself needs no dice. */
  readonly ids: readonly string[]
  readonly jitter: number
}
