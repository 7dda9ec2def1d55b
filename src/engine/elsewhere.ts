import type { PredictionEvent } from '../core/events.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import { step } from '../core/step.ts'
import { worthWriting } from '../core/writing.ts'
import type { Store, StoredPrediction } from '../store/contract.ts'
import type { WorldFor } from './worlds.ts'

/** Takes in an event for a record that this process does not hold; null when there is none. */
export type ApplyElsewhere = (
  id: string,
  event: PredictionEvent,
  delivery: string | null,
) => Promise<StoredPrediction | null>

export interface ElsewhereDependencies {
  readonly store: Pick<Store, 'get' | 'commit'>
  readonly worldFor: WorldFor
  /** By the store's clock. */
  readonly now: () => number
  /** Called after each write. */
  readonly wrote: (before: PredictionRecord, after: PredictionRecord) => void
}

/** Without the lease: facts are written, nothing begins, and the record is due at once for its holder. */
export function createElsewhere({ store, worldFor, now, wrote }: ElsewhereDependencies): ApplyElsewhere {
  return async (id, event, delivery) => {
    for (;;) {
      const stored = await store.get(id)
      if (stored === null) return null
      const { world, policy } = worldFor(stored.record, now(), false)
      const next = step(stored.record, event, now(), policy, world)
      if (delivery === null && worthWriting(stored.record, next.record) === 'never') return stored
      const [outcome] = await store.commit([
        {
          record: next.record,
          version: stored.version,
          nextAt: next.nextAt,
          delivery,
          reservations: [],
          lease: 'unchanged',
        },
      ])
      if (outcome === 'replayed') return stored
      if (outcome === 'committed') {
        wrote(stored.record, next.record)
        return { record: next.record, version: stored.version + 1, nextAt: next.nextAt }
      }
    }
  }
}
