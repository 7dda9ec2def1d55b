import type { WorkOutput } from '../contract.ts'
import type { Faulty } from '../misbehave.ts'

/** Which server: the Rust one (pip `cog` 0.17 and later), or the Python one before it. */
export type CogVersion = 'coglet' | 'python'

/** `lost`: with the container or the process that had it; the server itself never says so. */
export type RunStatus = 'starting' | 'processing' | 'succeeded' | 'failed' | 'canceled' | 'lost'
export type EventName = 'start' | 'logs' | 'completed'

/** What a prediction asks for. */
export interface RunRequest {
  readonly id: string | null
  readonly input: { readonly [field: string]: unknown }
  readonly webhook: string | null
  /** Null: all. */
  readonly events: readonly string[] | null
}

/** One prediction inside the emulator. */
export interface Run extends RunRequest, Faulty {
  readonly id: string
  /** Its request is held open until the end. */
  readonly held: boolean
  /** Where the caller reaches this emulator; the bucket's URLs begin with it. */
  readonly origin: string
  readonly startedAt: number
  status: RunStatus
  completedAt: number | null
  logs: string
  output: unknown
  error: string | null
  /** In the bucket of `--upload-url`. */
  files: readonly WorkOutput[]
  /** Holds its place: the work is not over, or (Python) the last webhook is not delivered. */
  isInFlight: boolean
  readonly stop: AbortController
  /** Called at the end. */
  readonly waiters: Set<() => void>
}

export function isOver(run: Run): boolean {
  return run.completedAt !== null
}

/** Milliseconds on the machine so far. */
export function billedMs(run: Run, now: number): number {
  return (run.completedAt ?? now) - run.startedAt
}

/** The prediction as webhooks and answers show it. */
export function view(run: Run, version: CogVersion): Record<string, unknown> {
  const isDone = isOver(run)
  const shared = {
    id: run.id,
    status: wordOf(run),
    logs: run.logs,
    ...(run.error === null ? {} : { error: run.error }),
  }
  const metrics = isDone ? { predict_time: billedMs(run, 0) / 1000 } : {}
  if (version === 'coglet') return { ...shared, ...(run.output === undefined ? {} : { output: run.output }), metrics }
  return {
    ...shared,
    error: run.error,
    input: run.input,
    output: run.output ?? null,
    version: null,
    created_at: null,
    started_at: new Date(run.startedAt).toISOString(),
    completed_at: run.completedAt === null ? null : new Date(run.completedAt).toISOString(),
    metrics: run.status === 'succeeded' ? metrics : null,
  }
}

/** The answer to a request that was held: coglet keeps the logs of what failed to itself. */
export function heldView(run: Run, version: CogVersion): Record<string, unknown> {
  const shown = view(run, version)
  return version === 'coglet' && run.status !== 'succeeded' ? { ...shown, logs: '' } : shown
}

function wordOf({ status, faults, completedAt }: Run): string {
  if (!faults.has('weird-status')) return status
  const isLast = faults.text('weird-status') === 'end'
  return isLast === (completedAt !== null) ? 'weird' : status
}
