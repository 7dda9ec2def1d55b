import type { Counted, Distribution } from '../core/tally.ts'
import type { EngineFigures } from '../engine/contract.ts'
import type { Family } from './exposition.ts'
import type { ProcessFigures } from './process-figures.ts'
import type { RequestTally } from './request-tally.ts'

/** One metric: what it is called, whose it is, and where its samples come from. */
export interface Metric extends Omit<Family, 'samples'> {
  readonly labels: readonly string[]
  /** `process`: of this process since it began, to be summed over all. `all`: of all processes, the same at each. */
  readonly of: 'process' | 'all'
  read(figures: Figures): readonly (Counted | Distribution)[]
}

/** What metrics are made of. */
export interface Figures {
  readonly engine: EngineFigures
  readonly requests: RequestTally
  readonly openStreams: number
  readonly process: ProcessFigures
}

const breakerStates = ['closed', 'half-open', 'open'] as const

function one(value: number | null): readonly Counted[] {
  return value === null ? [] : [{ labels: {}, value }]
}

/** Starts at 0, so that a first failure is a rise. */
function fromZero(counted: readonly Counted[]): readonly Counted[] {
  return counted.length === 0 ? one(0) : counted
}

/**
 * Every metric of `GET /metrics`. No label has values without bound: no ids, owners, addresses or words of callers and
 * vendors.
 */
export const metrics: readonly Metric[] = [
  {
    name: 'surefoot_predictions_accepted',
    type: 'counter',
    of: 'process',
    labels: ['model', 'purpose'],
    help: 'Predictions that were created. Purpose: caller, warm-up or shadow.',
    read: ({ engine }) => engine.tally.created.read(),
  },
  {
    name: 'surefoot_predictions_ended',
    type: 'counter',
    of: 'process',
    labels: ['model', 'purpose', 'status', 'failure'],
    help: 'Predictions that came to their end. Failure: a code, empty without one.',
    read: ({ engine }) => engine.tally.ended.read(),
  },
  {
    name: 'surefoot_prediction_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    of: 'process',
    labels: ['model', 'purpose', 'status'],
    help: 'From the creation of a prediction to its end.',
    read: ({ engine }) => engine.tally.predictionSeconds.read(),
  },
  {
    name: 'surefoot_predictions_open',
    type: 'gauge',
    of: 'all',
    labels: ['model', 'status'],
    help: 'Predictions that are not settled; ended ones wait for webhooks or for the end of a run. Counted up to 100,000.',
    read: ({ engine }) =>
      engine.stored?.open.map(({ model, status, count }) => ({ labels: { model, status }, value: count })) ?? [],
  },
  {
    name: 'surefoot_predictions_overdue_seconds',
    type: 'gauge',
    unit: 'seconds',
    of: 'all',
    labels: [],
    help: 'For how long the oldest prediction has been due that no process holds. More than a few seconds: engines are missing or behind.',
    read: ({ engine }) => one(engine.stored === null ? null : engine.stored.overdueMs / 1_000),
  },
  {
    name: 'surefoot_attempts_sent',
    type: 'counter',
    of: 'process',
    labels: ['deployment'],
    help: 'Starts sent to providers.',
    read: ({ engine }) => engine.tally.attemptsSent.read(),
  },
  {
    name: 'surefoot_attempts_ended',
    type: 'counter',
    of: 'process',
    labels: ['deployment', 'state', 'failure'],
    help: 'Attempts that ended, as won, failed, canceled, lost or superseded. Failure: a code, empty without one.',
    read: ({ engine }) => engine.tally.attemptsEnded.read(),
  },
  {
    name: 'surefoot_attempt_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    of: 'process',
    labels: ['deployment', 'state'],
    help: 'From the start that was sent to the end of the attempt.',
    read: ({ engine }) => engine.tally.attemptSeconds.read(),
  },
  {
    name: 'surefoot_attempt_stage_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    of: 'process',
    labels: ['deployment', 'stage'],
    help: 'Time in a stage (queue, boot, run, collect), of attempts that won and that were seen in it.',
    read: ({ engine }) => engine.tally.stageSeconds.read(),
  },
  {
    name: 'surefoot_attempts_running',
    type: 'gauge',
    of: 'all',
    labels: ['deployment'],
    help: 'Attempts that take a place on their deployment.',
    read: ({ engine }) => running(engine, 'count'),
  },
  {
    name: 'surefoot_attempts_places',
    type: 'gauge',
    of: 'process',
    labels: ['deployment'],
    help: "Most attempts at the same time, as this process's configuration says. Not to be summed.",
    read: ({ engine }) =>
      engine.deployments.map(({ name, concurrency }) => ({ labels: { deployment: name }, value: concurrency })),
  },
  {
    name: 'surefoot_starts_lost',
    type: 'counter',
    of: 'process',
    labels: ['deployment'],
    help: 'Starts whose answer was lost, so that the run had to be looked for.',
    read: ({ engine }) => engine.tally.startsLost.read(),
  },
  {
    name: 'surefoot_failovers',
    type: 'counter',
    of: 'process',
    labels: ['deployment'],
    help: 'Predictions that went from this deployment to another one.',
    read: ({ engine }) => engine.tally.failovers.read(),
  },
  {
    name: 'surefoot_breaker_state',
    type: 'gauge',
    of: 'all',
    labels: ['deployment', 'state'],
    help: '1 for the state of the breaker, 0 for the others. Open: paused. Half-open: one attempt is let through.',
    read: ({ engine }) =>
      engine.deployments.flatMap(({ name, breaker }) =>
        breakerStates.map(state => ({ labels: { deployment: name, state }, value: state === breaker ? 1 : 0 })),
      ),
  },
  {
    name: 'surefoot_cost_usd',
    type: 'counter',
    unit: 'usd',
    of: 'process',
    labels: ['deployment'],
    help: 'What attempts that have ended cost, as far as that is known.',
    read: ({ engine }) => engine.tally.cost.read(),
  },
  {
    name: 'surefoot_cost_reserved_usd',
    type: 'gauge',
    unit: 'usd',
    of: 'all',
    labels: ['deployment'],
    help: 'What running attempts may cost at worst.',
    read: ({ engine }) => running(engine, 'reserved'),
  },
  {
    name: 'surefoot_cost_today_usd',
    type: 'gauge',
    unit: 'usd',
    of: 'all',
    labels: [],
    help: 'What attempts sent since midnight UTC cost, at worst case where that is not known: what budgetPerDay counts.',
    read: ({ engine }) => one(engine.spentToday),
  },
  {
    name: 'surefoot_webhook_predictions',
    type: 'gauge',
    of: 'all',
    labels: ['state'],
    help: 'Predictions with webhooks that wait for delivery, or that are dead. Counted up to 100,000.',
    read: ({ engine }) =>
      Object.entries(engine.stored?.webhooks ?? {}).map(([state, value]) => ({ labels: { state }, value })),
  },
  {
    name: 'surefoot_webhooks_died',
    type: 'counter',
    of: 'process',
    labels: ['event'],
    help: 'Webhooks to callers that were given up after the last try.',
    read: ({ engine }) => engine.tally.webhooksDied.read(),
  },
  {
    name: 'surefoot_engine_leases',
    type: 'gauge',
    of: 'process',
    labels: [],
    help: 'Predictions that this process drives.',
    read: ({ engine }) => one(engine.held),
  },
  {
    name: 'surefoot_engine_lease_left_seconds',
    type: 'gauge',
    unit: 'seconds',
    of: 'process',
    labels: [],
    help: 'For how long this process may begin work without renewing its leases: 10 to 15 where all is well, 0 where it may not.',
    read: ({ engine }) => one(engine.leaseLeftMs === null ? null : engine.leaseLeftMs / 1_000),
  },
  {
    name: 'surefoot_engine_takeovers',
    type: 'counter',
    of: 'process',
    labels: [],
    help: 'Predictions that went on here after another process, or an earlier one, had driven them.',
    read: ({ engine }) => fromZero(engine.tally.takeOvers.read()),
  },
  {
    name: 'surefoot_store_failures',
    type: 'counter',
    of: 'process',
    labels: [],
    help: 'Calls of the store that failed; what it did not take is tried again.',
    read: ({ engine }) => fromZero(engine.tally.storeFailures.read()),
  },
  {
    name: 'surefoot_store_up',
    type: 'gauge',
    of: 'process',
    labels: [],
    help: '0 while the store does not answer or does not take what it is given.',
    read: ({ engine }) => one(engine.stored === null || engine.isStoreFailing ? 0 : 1),
  },
  {
    name: 'surefoot_kept_bytes',
    type: 'gauge',
    unit: 'bytes',
    of: 'all',
    labels: [],
    help: 'Outputs and files that are kept, at most five minutes old.',
    read: ({ engine }) => one(engine.keptBytes),
  },
  {
    name: 'surefoot_kept_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    of: 'all',
    labels: [],
    help: 'Beyond so many the oldest are removed (retention.gigabytes). Absent without a limit.',
    read: ({ engine }) => one(engine.keptLimit),
  },
  {
    name: 'surefoot_room_bytes',
    type: 'gauge',
    unit: 'bytes',
    of: 'process',
    labels: [],
    help: 'Free for files on the disk of the data folder. Absent with a bucket.',
    read: ({ engine }) => one(engine.roomBytes),
  },
  {
    name: 'surefoot_room_spare_bytes',
    type: 'gauge',
    unit: 'bytes',
    of: 'process',
    labels: [],
    help: 'With less room than that nothing new is taken on (retention.spareGigabytes).',
    read: ({ engine }) => one(engine.spareBytes),
  },
  {
    name: 'surefoot_http_requests',
    type: 'counter',
    of: 'process',
    labels: ['method', 'route', 'status'],
    help: 'Answers, by the pattern of the route.',
    read: ({ requests }) => requests.requests.read(),
  },
  {
    name: 'surefoot_http_request_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    of: 'process',
    labels: ['method', 'route'],
    help: 'Until the answer began; streams go on after that.',
    read: ({ requests }) => requests.seconds.read(),
  },
  {
    name: 'surefoot_event_streams_open',
    type: 'gauge',
    of: 'process',
    labels: [],
    help: 'Event streams that are open.',
    read: ({ openStreams }) => one(openStreams),
  },
  {
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    unit: 'seconds',
    of: 'process',
    labels: [],
    help: 'How long timers had to wait, 99th percentile since the last scrape; absent at the first.',
    read: ({ process }) => one(process.lag?.p99 ?? null),
  },
  {
    name: 'nodejs_eventloop_lag_max_seconds',
    type: 'gauge',
    unit: 'seconds',
    of: 'process',
    labels: [],
    help: 'The longest of these waits.',
    read: ({ process }) => one(process.lag?.max ?? null),
  },
  {
    name: 'nodejs_heap_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    of: 'process',
    labels: [],
    help: 'JavaScript objects.',
    read: ({ process }) => one(process.heapBytes),
  },
  {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    of: 'process',
    labels: [],
    help: 'Memory of the process.',
    read: ({ process }) => one(process.residentBytes),
  },
  {
    name: 'process_cpu_seconds',
    type: 'counter',
    unit: 'seconds',
    of: 'process',
    labels: [],
    help: 'Processor time of the process.',
    read: ({ process }) => one(process.cpuSeconds),
  },
  {
    name: 'process_start_time_seconds',
    type: 'gauge',
    unit: 'seconds',
    of: 'process',
    labels: [],
    help: 'When the process began, in seconds since 1970.',
    read: ({ process }) => one(process.startedAt),
  },
]

function running({ stored }: EngineFigures, what: 'count' | 'reserved'): readonly Counted[] {
  return stored?.running.map(entry => ({ labels: { deployment: entry.deployment }, value: entry[what] })) ?? []
}
