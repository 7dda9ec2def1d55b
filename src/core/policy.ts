/**
 * `ordered`: the route's own order. `weighted`: by dice, in proportion to each deployment's weight. `cheapest`,
 * `fastest`, `reliable`: by measured figures where there are enough, else by declared ones.
 */
export type Routing = (typeof routings)[number]
export const routings = ['ordered', 'weighted', 'cheapest', 'fastest', 'reliable'] as const

/**
 * The budgets of one route, all times in milliseconds. Every timer is named, and `deadlineMs` wins over their sum.
 * Config gives any of them; `defaultPolicy` and `localPolicy` give the rest.
 */
export interface Policy {
  /** From creation to a terminal status. */
  readonly deadlineMs: number
  /** From acceptance to the first sign of a worker. */
  readonly queueMs: number
  /** From the first sign of a worker to the first sign of work. */
  readonly bootMs: number
  /** How long a start whose answer was lost is looked for. */
  readonly unknownMs: number
  /** No visible change (status, progress, log length, outputs) for this long is a stall, until enough runs were measured. */
  readonly stallMs: number
  /** Once enough runs were measured: a stall is this many times their median, within `stallMinMs` and `stallMaxMs`. */
  readonly stallFactor: number
  readonly stallMinMs: number
  readonly stallMaxMs: number
  /** The same while progress stands at `lastStageFrom` or above: "stuck at 90 %". */
  readonly lastStageMs: number
  /** Fraction from which on `lastStageMs` applies instead of `stallMs`. */
  readonly lastStageFrom: number
  /** From the first sign of work to the provider's end. */
  readonly runMs: number
  /** From the provider's success to the verified output in our store. */
  readonly collectMs: number
  /** At most this many attempts, hedges included. */
  readonly attempts: number
  /** At most this many attempts at the same time beyond the first. */
  readonly hedges: number
  /** How often one run may begin anew at its provider, as after a preemption, before it is given up. */
  readonly restarts: number
  /** What to do when `unknownMs` has passed: start again, or end the prediction as `start_unknown`. */
  readonly onUnknown: 'resubmit' | 'fail'
  /** Money of all attempts together, in USD; reserved at worst case before each start. Null: no limit. */
  readonly budget: number | null
  /** Money of all predictions together since midnight UTC, in USD, reserved likewise. Null: no limit. */
  readonly budgetPerDay: number | null
  /** How the next deployment is chosen: see `Routing`. */
  readonly routing: Routing
  /** First wait before the same deployment is tried again; doubles each time, with full jitter. */
  readonly backoffMs: number
  /** How long cancels are repeated and polls continued for an abandoned attempt before it is recorded as given up. */
  readonly releaseMs: number
}

/** For remote providers. */
export const defaultPolicy: Policy = {
  deadlineMs: 30 * 60_000,
  queueMs: 5 * 60_000,
  bootMs: 10 * 60_000,
  unknownMs: 90_000,
  stallMs: 120_000,
  stallFactor: 4,
  stallMinMs: 45_000,
  stallMaxMs: 10 * 60_000,
  lastStageMs: 60_000,
  lastStageFrom: 0.9,
  runMs: 10 * 60_000,
  collectMs: 5 * 60_000,
  attempts: 3,
  hedges: 0,
  restarts: 2,
  onUnknown: 'resubmit',
  budget: null,
  budgetPerDay: null,
  routing: 'ordered',
  backoffMs: 1_000,
  releaseMs: 10 * 60_000,
}

/** For routes that never leave this machine. */
export const localPolicy: Policy = {
  ...defaultPolicy,
  deadlineMs: 2 * 60_000,
  // A process of this machine takes a second; one that is frozen as it starts must give way to another in time.
  bootMs: 30_000,
  stallMs: 10_000,
  stallMinMs: 10_000,
  lastStageMs: 10_000,
  // Whether a local start happened can be seen at once.
  unknownMs: 2_000,
}
