import type { Policy } from './policy.ts'
import { isEnded, isTerminal, type PredictionStatus } from './prediction.ts'
import type { AttemptFact } from './statistics.ts'

const idPrefix = 'warm-'
const longestBackoffMs = 60 * 60_000

/** More often than this a deployment is not warmed: it would be one run after the other. */
export const shortestWaitMs: number = 30_000

/** Whether a prediction is a warm-up: nobody asked for its result. */
export function isWarmUp(predictionId: string): boolean {
  return predictionId.startsWith(idPrefix)
}

/** The id of a warm-up, from an id or a digest. */
export function warmUpId(id: string): string {
  return `${idPrefix}${id}`
}

/** Who owns the warm-ups of a deployment: no user, so that none of them is listed, counted or shown as somebody's. */
export function warmUpOwner(deployment: string): string {
  return `warm:${deployment}`
}

/** A warm-up is one try: what fails is left to the next one, and what cannot be found is not paid again. */
export function warmUpPolicy(policy: Policy): Policy {
  return { ...policy, attempts: 1, hedges: 0, onUnknown: 'fail', routing: 'ordered' }
}

/** When something last worked at a deployment: `now` while something does; 0 for never. */
export function lastUsedAt(facts: readonly AttemptFact[], now: number): number {
  let at = 0
  for (const { state, submittedAt, endedAt } of facts) {
    if (!isEnded(state)) return now
    if (submittedAt !== null && endedAt !== null) at = Math.max(at, endedAt)
  }
  return at
}

/** Kept awake with a fifth to spare; where a worker goes sooner than that is worth, or nobody knows when, every four minutes. */
export function usualWaitMs(idleMs: number | null): number {
  const wait = Math.floor((idleMs ?? 0) * 0.8)
  return wait < shortestWaitMs ? 240_000 : wait
}

/** As much of an earlier warm-up as the next one depends on. */
export interface EarlierWarmUp {
  readonly status: PredictionStatus
  readonly completedAt: number | null
}

/**
 * When a deployment must be warmed again: `everyMs` after its last use; never while a warm-up goes on (Infinity). Each
 * warm-up that failed since the last one that did not doubles the wait, up to an hour. `earlier` is newest first.
 */
export function nextWarmUpAt(usedAt: number, earlier: readonly EarlierWarmUp[], everyMs: number): number {
  const [last] = earlier
  if (last === undefined) return usedAt + everyMs
  if (!isTerminal(last.status) || last.completedAt === null) return Number.POSITIVE_INFINITY
  const good = earlier.findIndex(({ status }) => status === 'succeeded')
  const failures = good < 0 ? earlier.length : good
  if (failures === 0) return Math.max(usedAt, last.completedAt) + everyMs
  return Math.max(usedAt + everyMs, last.completedAt + backoffMs(everyMs, failures))
}

/** How long after so many failures in a row: doubled by each, up to an hour. */
export function backoffMs(everyMs: number, failures: number): number {
  return Math.min(Math.max(longestBackoffMs, everyMs), everyMs * 2 ** failures)
}
