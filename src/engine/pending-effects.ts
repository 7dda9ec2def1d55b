import type { Effect } from '../core/events.ts'
import { type Attempt, type EffectKind, isEnded, type PredictionRecord } from '../core/prediction.ts'

function pendingIds(record: PredictionRecord): Set<string> {
  const ids = new Set<string>()
  for (const attempt of record.attempts) for (const pending of attempt.pending) ids.add(pending.id)
  for (const entry of record.webhook?.queue ?? []) if (entry.pending !== null) ids.add(entry.pending.id)
  return ids
}

/**
 * Effects that the record says this process has begun. Those that it has not are intents whose commit seemed to fail, or
 * polls whose answer was not worth a write: begun now, where their time still allows it, instead of waited for.
 */
export function forgottenEffects(record: PredictionRecord, engine: string, now: number): Effect[] {
  const effects: Effect[] = []
  for (const { id: attempt, deployment, handle, outputs, pending, plannedAt, submittedAt } of record.attempts) {
    for (const { id: effect, kind, engine: owner, at, until } of pending) {
      // An effect's own limit is at most half of the time after which it counts as lost.
      if (owner !== engine || until - now < (until - at) / 2) continue
      const base = { effect, attempt, deployment }
      if (kind === 'start' || kind === 'inspect') effects.push({ type: kind, ...base })
      if (kind === 'find') effects.push({ type: kind, ...base, since: submittedAt ?? plannedAt })
      if (kind === 'poll' || kind === 'cancel') effects.push({ type: kind, ...base, handle })
      if (kind === 'collect') effects.push({ type: kind, ...base, outputs: outputs ?? [] })
    }
  }
  return effects
}

/** Effects that were waited for before and are not any more. */
export function vanished(before: PredictionRecord, after: PredictionRecord): string[] {
  const still = pendingIds(after)
  return [...pendingIds(before)].filter(id => !still.has(id))
}

/** It was sent, so that it may have brought something, and ended without winning. */
export function isLoser(attempt: Attempt): boolean {
  return attempt.submittedAt !== null && isEnded(attempt.state) && attempt.state !== 'won'
}

/**
 * Calls that can be cut off and simply made again; a start, a cancel or a delivery is left to finish. A start that is held
 * for the whole run is cut off as well: nobody who stops a process waits minutes for it.
 */
export function interruptible(record: PredictionRecord, isHeld: (deployment: string) => boolean): string[] {
  return record.attempts.flatMap(({ deployment, pending }) =>
    pending.flatMap(({ id, kind }) => (repeatable.has(kind) || (kind === 'start' && isHeld(deployment)) ? id : [])),
  )
}

/**
 * The same where nobody may wait any longer: cancels and deliveries too, which are tried again. Only the answer to a start is
 * worth waiting for, because a start that is cut off may run all the same.
 */
export function interruptibleInHaste(record: PredictionRecord, isHeld: (deployment: string) => boolean): string[] {
  const deliveries = (record.webhook?.queue ?? []).flatMap(({ pending }) => pending?.id ?? [])
  const cancels = record.attempts.flatMap(({ pending }) =>
    pending.flatMap(({ id, kind }) => (kind === 'cancel' ? id : [])),
  )
  return [...interruptible(record, isHeld), ...cancels, ...deliveries]
}

const repeatable: ReadonlySet<EffectKind> = new Set(['poll', 'find', 'inspect', 'collect'])
