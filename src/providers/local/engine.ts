import type { Failure } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'

/** What a local engine gets: paths on this machine. */
export interface EngineJob {
  readonly input: JsonObject
  /** The deployment's target. */
  readonly target: JsonObject
  /** Input files by field. */
  readonly files: { readonly [field: string]: string }
  /** Where to write the output; it becomes visible under its real name only after `run` has resolved. */
  readonly outputPath: string
}

/** What a local engine may say while it works. */
export interface EngineReport {
  /** `fraction` of the whole work, 0 to 1. Silence for longer than the policy's `stallMs` counts as a stall. */
  progress(stage: string, fraction: number): void
  log(line: string): void
}

/**
 * The export `run` of an engine's module. Runs in a thread of a process of its own: it may block, exhaust memory or
 * crash. A thrown `SurefootError` keeps its failure; anything else ends as `model_error`.
 */
export type RunEngine = (job: EngineJob, report: EngineReport) => Promise<void>

/** What the engine's thread tells the supervising thread. */
export type EngineMessage =
  | { readonly kind: 'progress'; readonly stage: string; readonly fraction: number }
  | { readonly kind: 'log'; readonly line: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly failure: Failure }
