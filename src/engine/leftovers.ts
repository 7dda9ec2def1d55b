import { isEnded } from '../core/prediction.ts'
import type { FileStore } from '../files/contract.ts'
import type { Store } from '../store/contract.ts'
import { ownerOfOutput } from './collect.ts'

export interface LeftoversDependencies {
  readonly store: Pick<Store, 'get'>
  readonly files: Pick<FileStore, 'resumable'>
}

/**
 * Gives up what collects have left behind that nobody goes on with: those of attempts that have ended, or that nobody knows.
 * Whoever ends an attempt sees to that already; this is for a process that died right then. Rejects when a store fails.
 */
export async function dropLeftovers({ store, files: { resumable } }: LeftoversDependencies): Promise<void> {
  if (resumable === undefined) return
  for await (const key of resumable.unfinished()) {
    const { predictionId, attemptId } = ownerOfOutput(key)
    const attempt = (await store.get(predictionId))?.record.attempts.find(({ id }) => id === attemptId)
    if (attempt === undefined || isEnded(attempt.state)) await resumable.drop(key)
  }
}
