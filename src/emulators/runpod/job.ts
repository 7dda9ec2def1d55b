import type { WorkOutput } from '../contract.ts'
import type { Faulty, Misworded, Weird } from '../misbehave.ts'

export type JobStatus = 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TIMED_OUT'

/** What a job asks for beside its input. */
export interface JobRequest {
  readonly input: { readonly [field: string]: unknown }
  readonly webhook: string | null
  readonly executionTimeoutMs: number
  readonly ttlMs: number
  /** Waits for workers that others woke. */
  readonly lowPriority: boolean
}

/** One job inside the emulator. */
export interface Job extends JobRequest, Faulty {
  readonly id: string
  readonly endpoint: string
  /** Where the caller reaches this emulator; the bucket's URLs begin with it. */
  readonly origin: string
  /** Came by `/runsync`: other limits, and forgotten sooner. */
  readonly sync: boolean
  readonly createdAt: number
  status: JobStatus
  /** When the newest worker took it. */
  startedAt: number | null
  completedAt: number | null
  workerId: string | null
  retries: number
  /** The last progress update; the same field of the answer as the result. */
  progress: unknown
  /** Undefined: there is none, which is no error. */
  output: unknown
  error: string | null
  /** In the worker's bucket. */
  files: readonly WorkOutput[]
  /** A progress update arrived after the result. */
  isOverwritten: boolean
  /** Chunks for `/stream` that nobody has fetched yet. */
  chunks: unknown[]
  /** Time of workers that this job causes on the bill. */
  billedMs: number
  readonly executions: Set<Execution>
  readonly timers: Set<() => void>
  /** Called at the end and with each chunk. */
  readonly waiters: Set<() => void>
}

/** One worker's try of a job; there may be two at the same time. */
export interface Execution {
  readonly workerId: string
  readonly stop: AbortController
}

/** Results are kept this long after the end. Source: the vendor's page on sending requests. */
export const retentionMs: { readonly run: number; readonly runsync: number } = { run: 30 * 60_000, runsync: 60_000 }

export function isOver(job: Job): boolean {
  return job.completedAt !== null
}

/** From when on the vendor answers 404. */
export function goneAt(job: Job): number {
  if (job.forgotten) return Number.NEGATIVE_INFINITY
  if (job.completedAt === null || job.isOverwritten) return job.createdAt + job.ttlMs
  return job.completedAt + retentionMs[job.sync ? 'runsync' : 'run']
}

/** A job as `/status` and webhooks show it. */
export interface JobView {
  readonly id: string
  readonly status: JobStatus
  readonly delayTime?: number
  readonly executionTime?: number
  readonly workerId?: string | null
  readonly retries?: number
  readonly output?: unknown
  readonly error?: string
}

/** The answer to a start, and to a retry. */
export type WaitingView = Pick<JobView, 'id' | 'status'>
export type CancelView = Pick<JobView, 'id' | 'status'>

/** `GET /stream`. */
export interface StreamView {
  readonly status: JobStatus
  readonly stream: readonly unknown[]
}

/** `POST /purge-queue`. */
export interface PurgeView {
  readonly removed: number
  readonly status: string
}

/** `GET /health`. */
export interface HealthView {
  readonly jobs: {
    readonly completed: number
    readonly failed: number
    readonly inProgress: number
    readonly inQueue: number
    readonly retried: number
  }
  readonly workers: {
    readonly idle: number
    readonly initializing: number
    readonly ready: number
    readonly running: number
    readonly throttled: number
    readonly unhealthy: number
  }
}

/** The job as `/status` and webhooks show it, with the words of its faults. */
export function view(job: Job): Misworded<JobView> {
  const output = isOver(job) && !job.isOverwritten ? job.output : job.progress
  return {
    id: job.id,
    status: wordOf(job),
    ...(job.startedAt === null ? {} : { delayTime: job.startedAt - job.createdAt, workerId: job.workerId }),
    ...(job.startedAt === null || job.completedAt === null ? {} : { executionTime: job.completedAt - job.startedAt }),
    ...(job.retries === 0 ? {} : { retries: job.retries }),
    ...(output === undefined ? {} : { output }),
    ...(job.error === null ? {} : { error: job.error }),
  }
}

function wordOf(job: Job): JobStatus | Weird {
  if (job.isOverwritten) return 'IN_PROGRESS'
  if (!job.faults.has('weird-status')) return job.status
  if (job.faults.text('weird-status') === 'end') return isOver(job) ? 'EXPIRED' : job.status
  return job.status === 'IN_PROGRESS' ? 'WEIRD' : job.status
}
