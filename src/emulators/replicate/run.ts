import type { WorkOutput } from '../contract.ts'
import type { ActiveFaults } from '../faults.ts'
import type { Misworded, Weird } from '../misbehave.ts'

export type RunStatus = 'starting' | 'processing' | 'succeeded' | 'failed' | 'canceled' | 'aborted'
export type EventName = 'start' | 'output' | 'logs' | 'completed'

/** After this long, API predictions lose input, output, output files and logs; the object stays. */
export const retentionMs: number = 60 * 60_000

/** One prediction inside the emulator. */
export interface Run {
  readonly id: string
  /** Where the caller reaches this emulator; its URLs begin with it. */
  readonly origin: string
  readonly faults: ActiveFaults
  readonly model: string
  readonly version: string
  readonly deployment: string | null
  readonly webhook: string | null
  readonly events: readonly EventName[] | null
  readonly createdAt: number
  readonly deadlineAt: number | null
  input: { readonly [field: string]: unknown }
  status: RunStatus
  startedAt: number | null
  completedAt: number | null
  logs: string
  error: string | null
  outputs: readonly WorkOutput[]
  /** The vendor lost it: reads answer 404 from now on. */
  forgotten: boolean
  /** How often each fault of this run has shown itself. */
  readonly shown: Map<string, number>
  /** Ends the work in progress. */
  work: AbortController
  readonly timers: Set<() => void>
  /** Called at the end and when the output is there. */
  readonly waiters: Set<() => void>
}

export function isOver(run: Run): boolean {
  return run.completedAt !== null
}

/** Input, outputs and logs are gone. */
export function isPurged(run: Run, now: number): boolean {
  if (run.completedAt === null) return false
  return run.faults.has('data-removed') || now - run.completedAt >= retentionMs
}

/** A prediction object without faults. */
export interface PredictionView {
  readonly id: string
  readonly model: string
  readonly version: string
  readonly deployment?: string
  readonly input: { readonly [field: string]: unknown }
  readonly output: unknown
  readonly status: RunStatus
  readonly error: string | null
  readonly logs: string
  readonly metrics?: { readonly predict_time: number; readonly total_time: number }
  readonly created_at: string
  readonly started_at: string | null
  readonly completed_at: string | null
  readonly deadline?: string
  readonly data_removed: boolean
  readonly source: 'api'
  readonly urls: { readonly get: string; readonly cancel: string; readonly web: string }
  readonly webhook?: string
  readonly webhook_events_filter?: readonly EventName[]
}

/** The prediction object as every endpoint and webhook shows it. */
export function view(run: Run, now: number): Misworded<PredictionView> {
  const purged = isPurged(run, now)
  return {
    id: run.id,
    model: run.model,
    version: run.version,
    ...(run.deployment === null ? {} : { deployment: run.deployment }),
    input: purged ? {} : run.input,
    output: purged ? null : outputOf(run),
    status: wordOf(run),
    error: run.error,
    logs: purged ? '' : run.logs,
    ...(run.completedAt === null ? {} : { metrics: metricsOf(run, run.completedAt) }),
    created_at: timeOf(run.createdAt),
    started_at: run.startedAt === null ? null : timeOf(run.startedAt),
    completed_at: run.completedAt === null ? null : timeOf(run.completedAt),
    ...(run.deadlineAt === null ? {} : { deadline: timeOf(run.deadlineAt) }),
    data_removed: purged,
    source: 'api',
    urls: {
      get: `${run.origin}/v1/predictions/${run.id}`,
      cancel: `${run.origin}/v1/predictions/${run.id}/cancel`,
      web: `${run.origin}/p/${run.id}`,
    },
    ...(run.webhook === null ? {} : { webhook: run.webhook }),
    ...(run.events === null ? {} : { webhook_events_filter: run.events }),
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

/** What a list leaves out: in the vendor's own example items have neither logs nor webhook. */
type Unlisted = 'logs' | 'webhook' | 'webhook_events_filter'

/** The same as a list shows it. */
export function listView(run: Run, now: number): Omit<Misworded<PredictionView>, Unlisted> {
  const { logs: _logs, webhook: _webhook, webhook_events_filter: _events, ...rest } = view(run, now)
  return rest
}

/** One file is one URL; several are a list of them. */
export function outputOf(run: Run): unknown {
  if (run.status !== 'succeeded') return null
  if (run.faults.has('empty-output')) return { object: {}, list: [] }[run.faults.text('empty-output')] ?? null
  const urls = run.outputs.map(
    (output, index) => `${run.origin}/delivery/${run.id}/${index}/${encodeURIComponent(output.name)}`,
  )
  return urls.length === 1 ? urls[0] : urls
}

function wordOf(run: Run): RunStatus | Weird {
  if (!run.faults.has('weird-status')) return run.status
  if (run.faults.text('weird-status') === 'end') return isOver(run) ? 'EXPIRED' : run.status
  return run.status === 'processing' ? 'weird' : run.status
}

function metricsOf(run: Run, completedAt: number): NonNullable<PredictionView['metrics']> {
  return {
    predict_time: run.startedAt === null ? 0 : (completedAt - run.startedAt) / 1000,
    total_time: (completedAt - run.createdAt) / 1000,
  }
}
