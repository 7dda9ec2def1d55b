import type { FailureCode } from '../core/failure.ts'
import type { SanitiseCounts } from '../splat/sanitise.ts'
import type { Ending, Limits } from './formats.ts'

/** What the child process is to do; its one argument, as JSON. */
export interface ConversionJob {
  /** Path of the splat PLY, or of the photo for a poster. */
  readonly source: string
  /** Path of the file to make; not there yet. */
  readonly target: string
  readonly format: Ending
  readonly limits: Limits
  /** An empty folder for what lies in between; the child takes it away when its parent dies. */
  readonly folder: string
}

export interface ConversionProgress {
  /** `clean`, `merge`, `write`: what is done now. */
  readonly stage: 'clean' | 'merge' | 'write'
  /** 0 to 1 of the stage, or null where nobody knows. */
  readonly fraction: number | null
}

/** What a conversion made, and what it took. */
export interface Converted {
  /** Null for what is not made of Gaussians. */
  readonly counts: SanitiseCounts | null
  /** In the file that was made. */
  readonly splats: number | null
  /** Most that the child held at a time. */
  readonly memoryBytes: number
  /** Of all its threads. */
  readonly processorMs: number
}

/** One line of the child's standard output, as JSON. */
export type ConversionLine =
  | ({ readonly kind: 'progress' } & ConversionProgress)
  | ({ readonly kind: 'done' } & Converted)
  | {
      readonly kind: 'failed'
      readonly code: FailureCode
      readonly message: string
      readonly advice?: string
      readonly status?: number
    }
