import type { WorkOutput } from '../contract.ts'
import type { Faulty } from '../misbehave.ts'
import type { RunRequest } from './run-request.ts'

export type RunStatus = 'QUEUED' | 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED' | 'EXPIRED' | 'CANCELED' | 'WEBHOOK_FAILED'
export type WebhookStatus = 'PENDING' | 'SUCCEEDED' | 'FAILED' | 'CANCELED' | 'NO_WEBHOOK_PROVIDED'

export interface RunError {
  readonly code: string
  readonly message: string
}

/** One request inside the emulator, whether it waits in the queue or on its connection. */
export interface Run extends RunRequest, Faulty {
  readonly id: string
  readonly model: string
  /** The model and the part of the path that names one of its deployments. */
  readonly deployment: string
  /** Where the caller reaches this emulator; the bucket's URLs begin with it. */
  readonly origin: string
  /** Came by `predict`: the caller waits on the connection. */
  readonly sync: boolean
  readonly createdAt: number
  status: RunStatus
  statusAt: number
  /** When a replica took it. */
  startedAt: number | null
  completedAt: number | null
  webhookStatus: WebhookStatus
  errors: readonly RunError[]
  /** The model's answer. */
  data: unknown
  /** In the model's own bucket. */
  files: readonly WorkOutput[]
  /** How often a replica worked on it. */
  executions: number
  /** Time of replicas that this request causes on the bill. */
  billedMs: number
  /** Ends its work. */
  readonly stop: AbortController
  readonly timers: Set<() => void>
  readonly ended: PromiseWithResolvers<void>
}

/** How long a status is known after the end. Source: docs.baseten.co/inference/async. */
export const retentionMs: number = 60 * 60_000

export function isOver(run: Run): boolean {
  return run.completedAt !== null
}

/** A request as `GET /async_request/{id}` shows it: never with its result. */
export function view(run: Run): Record<string, unknown> {
  return {
    request_id: run.id,
    model_id: run.model,
    deployment_id: run.deployment,
    status: wordOf(run),
    webhook_status: run.webhookStatus,
    created_at: new Date(run.createdAt).toISOString(),
    status_at: new Date(run.statusAt).toISOString(),
    errors: run.errors,
  }
}

function wordOf({ status, faults, completedAt }: Run): string {
  if (!faults.has('weird-status')) return status
  if (faults.text('weird-status') === 'end') return completedAt === null ? status : 'ARCHIVED'
  return status === 'IN_PROGRESS' ? 'WEIRD' : status
}
