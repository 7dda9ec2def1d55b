import type { Draft } from './draft.ts'
import type { Effect } from './events.ts'
import { isTerminal, type PredictionRecord, type WebhookEvent } from './prediction.ts'
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
/** News of the logs go out no oftener; so it is at Replicate. */
const logsEveryMs = 500

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
 * Queues news of the logs (decisions, progress) if the user asked for them: one entry at most, because what goes out is the
 * prediction as it is then.
 */
export function queueLogs(before: PredictionRecord, draft: Draft, now: number, world: World): void {
  const { webhook } = draft
  if (webhook === null || !webhook.events.includes('logs') || isTerminal(draft.status)) return
  if (webhook.queue.some(({ event, tries }) => event === 'logs' && tries === 0) || !hasNews(before, draft)) return
  queueNotification(draft, 'logs', Math.max(now, (webhook.loggedAt ?? -Infinity) + logsEveryMs), world)
}

function hasNews(before: PredictionRecord, { decisions, progress }: Draft): boolean {
  return (
    decisions.at(-1) !== before.decisions.at(-1) ||
    progress?.fraction !== before.progress?.fraction ||
    progress?.stage !== before.progress?.stage
  )
}

/**
 * Queues the webhook about the end. An output exists once it is verified, and that is the end: whoever asked for both
 * hears of it once, as `completed`; news of the logs that have not gone out are part of it.
 */
export function queueEnd(draft: Draft, now: number, world: World): void {
  const { webhook } = draft
  if (webhook === null) return
  webhook.queue = webhook.queue.filter(({ event, tries }) => event !== 'logs' || tries > 0)
  if (webhook.events.includes('completed')) queueNotification(draft, 'completed', now, world)
  else if (draft.status === 'succeeded' && webhook.events.includes('output'))
    queueNotification(draft, 'output', now, world)
  else queueNotification(draft, 'logs', now, world)
}

/**
 * What waits is due at once; where nothing does, what is dead waits again, with all its tries, behind what was delivered since:
 * the queue is the order in which things go out.
 */
export function resend(draft: Draft, now: number): void {
  const { webhook } = draft
  if (webhook === null) return
  const { queue } = webhook
  const next = queue.find(({ state }) => state === 'waiting')
  if (next !== undefined) {
    if (next.pending === null) next.nextAt = Math.min(next.nextAt, now)
    return
  }
  const dead = queue.filter(({ state }) => state === 'dead')
  for (const entry of dead) Object.assign(entry, { state: 'waiting', tries: 0, nextAt: now })
  webhook.queue = [...queue.filter(entry => !dead.includes(entry)), ...dead]
}

/** Sends what is due, oldest first and one at a time, so that receivers see states in order. */
export function sendNotifications(draft: Draft, now: number, world: World): Effect[] {
  const { webhook } = draft
  const next = webhook?.queue.find(entry => entry.state === 'waiting')
  if (webhook === null || next === undefined) return []
  const { pending } = next
  if (pending !== null && pending.engine === world.engine && now < pending.until) return []
  if (pending !== null) {
    // Whoever sent it is gone and may have delivered it or not: a try that failed.
    notified(draft, next.id, pending.id, false, now)
    return sendNotifications(draft, now, world)
  }
  if (next.nextAt > now) return []
  if (next.event === 'logs') webhook.loggedAt = now
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

/**
 * The receiver took it, or it is tried again later, or it is dead after the last try. News of the logs are tried once and
 * forgotten: there will be newer ones.
 */
export function notified(draft: Draft, notification: string, effect: string, delivered: boolean, now: number): void {
  const entry = draft.webhook?.queue.find(candidate => candidate.id === notification)
  if (draft.webhook === null || entry?.pending?.id !== effect) return
  entry.pending = null
  if (entry.event === 'logs') {
    draft.webhook.queue = draft.webhook.queue.filter(candidate => candidate !== entry)
    return
  }
  const wait = retryAfterMs[entry.tries - 1]
  if (delivered) entry.state = 'delivered'
  else if (wait === undefined) entry.state = 'dead'
  else entry.nextAt = now + wait
}
