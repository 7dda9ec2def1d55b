import type { Clock } from '../core/clock.ts'
import type { Effect, PredictionEvent } from '../core/events.ts'
import { type Attempt, isEnded, type PredictionRecord } from '../core/prediction.ts'
import type { StoredPrediction } from '../store/contract.ts'
import type { Held } from './held.ts'
import { isLoser } from './pending-effects.ts'

/** What a driver has begun and waits for: effects until their answers are stored, and the removal of files that lost. */
export interface UnderWay {
  /** Performs an effect and takes in its answer; one that this process has begun already goes on as it is. */
  begin(held: Pick<Held, 'id' | 'current'>, effect: Effect): void
  /** Waits for a task that never rejects. */
  track(task: Promise<unknown>): void
  /**
   * An attempt that has ended without winning keeps no file. Whoever writes its end sees to that; and whoever settles the
   * prediction, because the first may have died right then, or never have heard that its write succeeded.
   */
  discardLost(before: PredictionRecord, after: PredictionRecord): void
  /** With an `id`, whether nothing of that record is under way. */
  isEmpty(id?: string): boolean
  /** Resolves when what is under way now, of that record or of all, has ended; more may have begun by then. */
  ended(id?: string): Promise<unknown>
}

export interface UnderWayDependencies {
  readonly clock: Clock
  /** Whether this process goes on, and may wait for a store that is away. */
  readonly isRunning: () => boolean
  /** Until when an effect may still be sent. */
  readonly leaseFor: (effect: Effect) => Promise<number>
  /** Begins an effect and answers with the event that it leads to; never rejects. */
  readonly perform: (effect: Effect, record: PredictionRecord, leaseUntil: number) => Promise<PredictionEvent>
  readonly apply: (id: string, event: PredictionEvent) => Promise<StoredPrediction | null>
  /** Removes what an attempt has brought that did not win; never rejects. */
  readonly discard: (record: PredictionRecord, attempt: Attempt) => Promise<void>
  /** Removes the file that an event has brought and its record knows nothing of; never rejects. */
  readonly dropUnknown: (record: PredictionRecord, event: PredictionEvent) => Promise<void>
  readonly reportFault: (error: unknown) => void
}

/** How long a store that fails is left alone before the event is tried again. */
export const storeRetryMs = 500
/** So often what an effect brought back is given to a store that fails, by a process that stops. */
const lastTries = 3

export function createUnderWay(dependencies: UnderWayDependencies): UnderWay {
  const { clock, isRunning, leaseFor, perform, apply, discard, dropUnknown, reportFault } = dependencies
  /** Effects of this process that have not been answered yet; and starts whose answer could not be stored, never sent again. */
  const begun = new Set<string>()
  /** Each with the record that it is for, where it is for one. */
  const tasks = new Map<Promise<unknown>, string | null>()

  function track(task: Promise<unknown>, id: string | null = null): void {
    tasks.set(task, id)
    void task.finally(() => tasks.delete(task))
  }

  function of(id: string | undefined): Promise<unknown>[] {
    return [...tasks].flatMap(([task, owner]) => (id === undefined || owner === id ? [task] : []))
  }

  /**
   * What an effect brought back is worth more than one try: a handle that is not stored is a run that nobody follows. False
   * where the store was away and this process waits no longer.
   */
  async function deliver(id: string, answer: PredictionEvent): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        const stored = await apply(id, answer)
        if (stored !== null) await dropUnknown(stored.record, answer)
        // Collected, but meanwhile another engine had ended the attempt: nobody but us knows of the file.
        if (answer.type !== 'collected' || stored === null) return true
        const attempt = stored.record.attempts.find(({ id }) => id === answer.attempt)
        if (attempt !== undefined && isLoser(attempt)) await discard(stored.record, attempt)
        return true
      } catch (error) {
        reportFault(error)
        if (!isRunning() && tries >= lastTries) return false
        await new Promise<void>(resolve => void clock.after(storeRetryMs, resolve))
      }
    }
  }

  return {
    track: task => track(task),
    begin(held, effect) {
      if (begun.has(effect.effect)) return
      begun.add(effect.effect)
      track(
        leaseFor(effect)
          .then(until => perform(effect, held.current, until))
          .then(answer => deliver(held.id, answer))
          .then(isStored => void ((isStored || effect.type !== 'start') && begun.delete(effect.effect))),
        held.id,
      )
    },
    discardLost(before, after) {
      for (const attempt of after.attempts) {
        const earlier = before.attempts.find(({ id }) => id === attempt.id)
        const isNews = earlier === undefined || !isEnded(earlier.state)
        if (isLoser(attempt) && (isNews || after.settledAt !== null)) track(discard(after, attempt))
      }
    },
    isEmpty: id => of(id).length === 0,
    ended: id => Promise.all(of(id)),
  }
}
