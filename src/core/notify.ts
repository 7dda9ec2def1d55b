import type { Draft } from './draft.ts'
import type { Effect } from './events.ts'
import type { WebhookEvent } from './prediction.ts'
import type { World } from './world.ts'

/** Waits between tries: about 28 hours in all (the schedule that Standard Webhooks recommends). */
const retryAfterMs = [
  5_000,
  5 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
  10 * 3_600_000,
] as const
/** How long one delivery may take before it counts as failed. */
export const notifyTimeoutMs = 15_000

/** Queues a webhook for the user if they asked for this event. */
export function queueNotification(draft: Draft, event: WebhookEvent, now: number, world: World): void {
  if (draft.webhook === null || !draft.webhook.events.includes(event)) return
  draft.webhook.queue.push({
    id: world.newId(),
    event,
    at: now,
    tries: 0,
    nextAt: now,
    pending: null,
    state: 'waiting',
  })
}

/**
 * Queues the webhook about the end. An output exists once it is verified, and that is the end: whoever asked for both
 * hears of it once, as `completed`.
 */
export function queueEnd(draft: Draft, now: number, world: World): void {
  const isCompleted = draft.webhook?.events.includes('completed') === true
  if (isCompleted) queueNotification(draft, 'completed', now, world)
  else if (draft.status === 'succeeded') queueNotification(draft, 'output', now, world)
}

/** Sends what is due, oldest first and one at a time, so that receivers see states in order. */
export function sendNotifications(draft: Draft, now: number, world: World): Effect[] {
  const next = draft.webhook?.queue.find(entry => entry.state === 'waiting')
  if (next === undefined) return []
  const { pending } = next
  if (pending !== null && pending.engine === world.engine && now < pending.until) return []
  // Whoever sent it is gone and may have delivered it or not: a try that failed.
  if (pending !== null) notified(draft, next.id, pending.id, false, now)
  if (next.state !== 'waiting' || next.nextAt > now) return []
  const effect = world.newId()
  next.tries += 1
  next.pending = { id: effect, kind: 'notify', at: now, until: now + 2 * notifyTimeoutMs, engine: world.engine }
  return [{ type: 'notify', effect, notification: next.id, event: next.event }]
}

/** When `sendNotifications` has something to do again. */
export function notifyAt(draft: Draft): number {
  const next = draft.webhook?.queue.find(entry => entry.state === 'waiting')
  if (next === undefined) return Infinity
  return next.pending === null ? next.nextAt : next.pending.until
}

/** The receiver took it, or it is tried again later, or it is dead after the last try. */
export function notified(draft: Draft, notification: string, effect: string, delivered: boolean, now: number): void {
  const entry = draft.webhook?.queue.find(candidate => candidate.id === notification)
  if (entry?.pending?.id !== effect) return
  entry.pending = null
  const wait = retryAfterMs[entry.tries - 1]
  if (delivered) entry.state = 'delivered'
  else if (wait === undefined) entry.state = 'dead'
  else entry.nextAt = now + wait
}
