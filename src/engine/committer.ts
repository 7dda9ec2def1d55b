import type { Change, CommitOutcome, Store } from '../store/contract.ts'

/**
 * Groups writes: whatever arrives while one transaction is being written goes into the next one. Under load many
 * predictions share one fsync; alone, a write waits for nothing.
 */
export interface Committer {
  commit(change: Change): Promise<CommitOutcome>
  /** Resolves when everything that was handed in is written or has failed. */
  drained(): Promise<void>
}

const maxBatch = 256

export function createCommitter(store: Pick<Store, 'commit'>): Committer {
  interface Waiting {
    readonly change: Change
    resolve(outcome: CommitOutcome): void
    reject(error: unknown): void
  }
  let waiting: Waiting[] = []
  let writing: Promise<void> | null = null

  async function write(): Promise<void> {
    // One turn of the event loop: changes of the same turn share the transaction.
    await Promise.resolve()
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch)
      waiting = waiting.slice(maxBatch)
      try {
        const outcomes = await store.commit(batch.map(entry => entry.change))
        for (const [index, entry] of batch.entries()) entry.resolve(outcomes[index] ?? 'conflict')
      } catch (error) {
        for (const entry of batch) entry.reject(error)
      }
    }
    writing = null
  }

  return {
    commit(change) {
      return new Promise((resolve, reject) => {
        waiting.push({ change, resolve, reject })
        writing ??= write()
      })
    },
    async drained() {
      while (writing !== null) await writing
    },
  }
}
