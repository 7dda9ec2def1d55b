import type { FaultRule } from './faults.ts'

/** A vendor's public API as a function, on an injected clock. Serve it with `serveEmulator`, or hand `asFetch(emulator)` to an adapter. */
export interface Emulator {
  /** Answers one request. Rejects with what `fetch` rejects with where the real connection would break or never be made. */
  fetch(request: Request): Promise<Response>
  /** Replaces the faults for everything created from now on; what runs keeps its own. */
  setFaults(faults: readonly (string | FaultRule)[]): void
  state(): EmulatorState
  /** Stops all work and timers; held connections break. */
  close(): void
}

/** What a bill and a dashboard at the vendor would show. */
export interface EmulatorState {
  /** Runs that were started, each of which is billed, whether or not the caller got to know of it. */
  readonly submits: number
  /** Runs that have not ended. */
  readonly running: number
  readonly ledger: readonly LedgerEntry[]
}

export interface LedgerEntry {
  readonly id: string
  /** The vendor's own word. */
  readonly status: string
  /** It has not ended. */
  readonly isRunning: boolean
  /** What it is to work on. */
  readonly input: unknown
  /** The caller's own name for it; null where it has none or the vendor takes none. */
  readonly label: string | null
  /** Where it was told to tell of itself; null: nowhere, or by its input only. */
  readonly webhook: string | null
  /** Billed time so far, in milliseconds. */
  readonly billedMs: number
  /** USD. */
  readonly amount: number
}

/** What an emulator really does for a run: takes its input, reports progress, gives files. Rejects when the model fails. */
export type Work = (task: WorkTask, report: Report, signal: AbortSignal) => Promise<readonly WorkOutput[]>

export interface WorkTask {
  /** `owner/name`, where the vendor's API tells. */
  readonly model: string
  readonly input: { readonly [field: string]: unknown }
  /** The input's files, fetched: from data URIs, uploads and URLs. */
  readonly files: { readonly [field: string]: Blob }
}

/** `fraction` is 0 to 1; `line` is written to the log before the progress bar. */
export type Report = (fraction: number, line?: string) => void

export interface WorkOutput {
  readonly name: string
  readonly mediaType: string
  /** Bytes in memory, or a file of this machine by `openAsBlob`. */
  readonly body: Blob
}

/** An emulator as a `fetch`, for adapters and clients that take one. */
export function asFetch(emulator: Emulator): typeof globalThis.fetch {
  return (input, init) => emulator.fetch(new Request(input, init))
}
