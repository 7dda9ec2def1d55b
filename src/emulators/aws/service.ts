import type { Clock } from '../../core/clock.ts'
import type { LedgerEntry, Work, WorkTask } from '../contract.ts'
import type { ActiveFaults } from '../faults.ts'
import type { Faulty } from '../misbehave.ts'

/** What every service of the emulator gets. */
export interface ServiceOptions {
  readonly clock: Clock
  readonly work: Work
  readonly bootMs: number
  readonly newId: () => string
  /** The faults of the next run. */
  readonly roll: () => ActiveFaults
  /** A worker's network: the emulator's own bucket, then the outside. */
  readonly networkOf: (run: { readonly origin: string; readonly faults: ActiveFaults }) => typeof globalThis.fetch
  /** Fetches an input's files as a worker would. */
  readonly fetchFilesOf: (
    fetch: typeof globalThis.fetch,
  ) => (input: WorkTask['input'], signal: AbortSignal) => Promise<WorkTask['files']>
}

/** One service of the emulator: what it runs. */
export interface Service {
  readonly submits: number
  readonly running: number
  ledger(): Omit<LedgerEntry, 'webhook' | 'amount'>[]
  /** The run that is seen by an object of the bucket; its faults befall who asks for it. */
  runAt?(path: string): Faulty | undefined
  close(): void
}
