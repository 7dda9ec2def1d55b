import type { Clock } from '../core/clock.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import type { Change, StoredPrediction } from '../store/contract.ts'

/** A record that a driver holds: its newest state in memory, and what the store has of it. */
export interface Held {
  readonly id: string
  stored: PredictionRecord
  current: PredictionRecord
  /** Of `stored`; 0 while it is not in the store yet. */
  version: number
  writtenAt: number
  /** Events are taken in one at a time, in order of arrival. */
  queue: Promise<unknown>
  cancelWake: () => void
  /** When it is stepped next; Infinity while no timer is set. */
  wakeAt: number
  /** What the last step answered. */
  nextAt: number | null
}

/** The records of one driver, each with its timer. */
export interface HeldRecords {
  find(id: string): Held | undefined
  /** False once it was dropped, also where its prediction is held anew. */
  has(held: Held): boolean
  all(): readonly Held[]
  /** The one that is held already, or a new one with nothing under way. */
  hold(stored: StoredPrediction): Held
  /** Forgets it, and its timer. */
  drop(held: Held): void
  /** Forgets all of them, which rest already; answers their ids. */
  clear(): readonly string[]
  /** In the place of the timer that it had; milliseconds since 1970. */
  wakeAt(held: Held, at: number): void
  /** Ends every timer. */
  rest(): void
  /** Resolves when the events are taken in that have come by now. */
  idle(): Promise<unknown>
  /** What memory knows better than the store, as changes that also give back the leases of this engine. */
  unwritten(engine: string): readonly Change[]
}

export interface HeldRecordsDependencies {
  readonly clock: Clock
  /** By the store's clock. */
  readonly now: () => number
  /** Called when a timer fires. */
  readonly due: (held: Held) => void
}

export function createHeldRecords({ clock, now, due }: HeldRecordsDependencies): HeldRecords {
  const records = new Map<string, Held>()
  return {
    find: id => records.get(id),
    has: held => records.get(held.id) === held,
    all: () => [...records.values()],
    hold({ record, version, nextAt }) {
      const known = records.get(record.id)
      if (known !== undefined) return known
      const held: Held = {
        id: record.id,
        stored: record,
        current: record,
        version,
        writtenAt: 0,
        queue: Promise.resolve(),
        cancelWake: () => {},
        wakeAt: Infinity,
        nextAt,
      }
      records.set(held.id, held)
      return held
    },
    drop(held) {
      held.cancelWake()
      records.delete(held.id)
    },
    clear() {
      const ids = [...records.keys()]
      records.clear()
      return ids
    },
    wakeAt(held, at) {
      held.cancelWake()
      held.wakeAt = at
      held.cancelWake = clock.after(at - now(), () => {
        held.wakeAt = Infinity
        due(held)
      })
    },
    rest() {
      for (const held of records.values()) held.cancelWake()
    },
    idle: () => Promise.all([...records.values()].map(held => held.queue)),
    unwritten: engine =>
      [...records.values()]
        .filter(held => held.current !== held.stored && held.version > 0)
        .map(({ current: record, version, nextAt }) => ({
          record,
          version,
          nextAt,
          reservations: [],
          lease: { engine, leaseMs: null },
        })),
  }
}
