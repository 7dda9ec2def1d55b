import { onTestFinished } from 'vitest'
import type { Change, CommitOutcome, Store } from '../store/contract.ts'

/** One empty store under test, on a clock that stands still until it is told to move. */
export interface OpenedStore {
  readonly store: Store
  /** Moves the store's clock forward. */
  advance(ms: number): Promise<void>
  close(): Promise<void>
}

/** Opens the store for one test and closes it afterwards. */
export async function openForTest(open: () => Promise<OpenedStore>): Promise<OpenedStore> {
  const opened = await open()
  onTestFinished(() => opened.close())
  return opened
}

/** Writes one change and says what became of it. */
export async function commitOne(store: Store, change: Change): Promise<CommitOutcome | undefined> {
  return (await store.commit([change]))[0]
}
