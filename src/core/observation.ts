import type { Failure } from './failure.ts'
import type { Json } from './json.ts'
import type { OutputReference, Progress } from './prediction.ts'

export type ObservedStatus = 'queued' | 'booting' | 'running' | 'succeeded' | 'failed' | 'canceled' | 'gone' | 'unclear'

/** What a provider said about an attempt at one moment. */
export interface Observation {
  /** `gone`: the provider no longer knows it. `unclear`: a word we do not know; only policy ends such an attempt. */
  readonly status: ObservedStatus
  /** The vendor's own word. */
  readonly word: string
  readonly progress?: Progress | null
  /** Characters of log so far; growth counts as a visible change. */
  readonly logLength?: number
  /** Last lines of the log, at most 4,000 characters. */
  readonly logTail?: string
  /** With `succeeded`: where the outputs are, in the order in which the model names them. Empty: the result is lost. */
  readonly outputs?: readonly OutputReference[]
  readonly failure?: Failure
  /** What most likely became of a run that shows nothing more than this: part of its failure, should a timer end it. */
  readonly hint?: Pick<Failure, 'message' | 'advice'>
  readonly metrics?: { readonly runMs?: number; readonly totalMs?: number }
}

export interface FoundRun {
  readonly handle: Json
  readonly seen?: Observation
}

/**
 * `requested`: a poll tells how it ends. `ended`: it is over there, and a poll could tell nothing more: a run that had
 * succeeded before the cancel has an output that is paid for, and one that was stopped has a cost. `impossible`: it cannot
 * be stopped.
 */
export type CancelAnswer = 'requested' | 'ended' | 'impossible'
