import type { CborValue } from '../../wire/cbor.ts'
import type { WorkOutput } from '../contract.ts'
import type { Faulty } from '../misbehave.ts'

/** `GenericStatus`. */
export const resultStatus = {
  success: 1,
  failure: 2,
  terminated: 3,
  timeout: 4,
  initFailure: 5,
  internalFailure: 6,
  evicted: 8,
} as const

/** One call of a function inside the emulator, with its single input. */
export interface Call extends Faulty {
  /** `fc-...` */
  readonly id: string
  readonly inputId: string
  /** `app/function`, `app/Class.*` for all methods of a class, which share its containers, or `web/label`. */
  readonly functionName: string
  readonly input: { readonly [field: string]: unknown }
  /** Where the caller reaches this emulator; the bucket's URLs begin with it. */
  readonly origin: string
  readonly createdAt: number
  /** When the newest container began with it. */
  startedAt: number | null
  endedAt: number | null
  /** `GenericStatus` once it has ended. */
  status: number | null
  exception: string
  /** What the function returned. */
  value: CborValue | undefined
  /** In the function's bucket. */
  files: readonly WorkOutput[]
  /** How often a container was taken away from it. */
  restarts: number
  /** The result is gone before its time. */
  isCleared: boolean
  /** Time of containers that this call causes on the bill. */
  billedMs: number
  /** The container that has it, and what stops the work there. */
  execution: { readonly containerId: string; readonly stop: AbortController } | null
  readonly timers: Set<() => void>
  /** Called at the end. */
  readonly waiters: Set<() => void>
}

/** Results can be had for this long after the end. Source: modal.com/docs/guide/job-queue. */
const retentionMs = 7 * 24 * 60 * 60_000

export function isOver(call: Call): boolean {
  return call.endedAt !== null
}

/** Whether neither work nor result is left. */
export function isExpired(call: Call, now: number): boolean {
  return call.endedAt !== null && (call.isCleared || now >= call.endedAt + retentionMs)
}
