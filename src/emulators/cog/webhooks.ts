import type { Clock } from '../../core/clock.ts'
import { type CogVersion, type EventName, type Run, view } from './run.ts'

/** `logs` at most once in this time; what comes too early is never sent. */
const throttleMs = 500
/** How long a receiver may take. */
const answerMs = 30_000
/** Statuses after which the last webhook is tried again; any other one that is no success drops it at once. */
const retried = new Set([429, 500, 502, 503, 504])

/** Waits before the retries of the last webhook. Sources: coglet's `webhook.rs` (409 s in all), 0.16's `webhook.py` (about 320 s). */
const waitsMs: { readonly [version in CogVersion]: readonly number[] } = {
  coglet: Array.from({ length: 12 }, (_, retry) => Math.min(102_400, 100 * 2 ** (retry + 1))),
  python: [0, ...Array.from({ length: 10 }, (_, retry) => 100 * 2 ** (retry + 1)), 120_000],
}

export interface WebhookOptions {
  readonly clock: Clock
  readonly version: CogVersion
  /** `WEBHOOK_AUTH_TOKEN`. */
  readonly token: string | undefined
  readonly send: typeof globalThis.fetch
}

export interface Webhooks {
  /** `delivered` is called when nothing of it is left to do. */
  notify(run: Run, event: EventName, delivered?: () => void): void
  /** Forgets what is not delivered yet, and goes on. */
  drop(): void
  /** The same for good. */
  close(): void
}

/** Delivers webhooks as the server does: unsigned, without ids, only the last one of a run tried again. */
export function createWebhooks({ clock, version, token, send }: WebhookOptions): Webhooks {
  const timers = new Set<() => void>()
  const loggedAt = new Map<string, number>()
  const held = new Map<string, string>()
  let stopped = new AbortController()

  function later(ms: number, then: () => void): () => void {
    const cancel = clock.after(ms, () => {
      timers.delete(stop)
      then()
    })
    function stop(): void {
      timers.delete(stop)
      cancel()
    }
    timers.add(stop)
    return stop
  }

  function isThrottled(run: Run, event: EventName): boolean {
    if (event !== 'logs') return false
    const now = clock.now()
    if (now - (loggedAt.get(run.id) ?? -Infinity) < throttleMs) return true
    loggedAt.set(run.id, now)
    return false
  }

  function notify(run: Run, event: EventName, delivered: () => void = () => {}): void {
    const { webhook: url, faults } = run
    if (url === null || !(run.events?.includes(event) ?? true) || faults.has('webhook-lost')) return delivered()
    if (isThrottled(run, event)) return
    const body = JSON.stringify(view(run, version))
    const isLast = event === 'completed'
    if (faults.has('webhook-reordered') && !isLast) {
      held.set(run.id, body)
      return
    }
    const delay = faults.has('webhook-late') ? faults.number('webhook-late') * 1000 : 0
    const copies = faults.has('webhook-duplicate') ? faults.number('webhook-duplicate') : 1
    for (let copy = 0; copy < copies; copy++)
      later(delay + copy, () => void deliver(url, body, isLast ? waitsMs[version] : []).then(delivered))
    const earlier = held.get(run.id)
    if (earlier === undefined) return
    held.delete(run.id)
    later(delay + copies, () => void deliver(url, earlier, []))
  }

  async function deliver(url: string, body: string, waits: readonly number[]): Promise<void> {
    for (const wait of [...waits, null]) {
      if ((await post(url, body)) || wait === null) return
      await new Promise<void>(resolve => later(wait, resolve))
    }
  }

  /** True when there is nothing left to do: taken, or dropped. */
  async function post(url: string, body: string): Promise<boolean> {
    const { signal: gone } = stopped
    const limit = new AbortController()
    const cancel = later(answerMs, () => limit.abort(new Error('the receiver did not answer in time')))
    try {
      const headers = {
        'content-type': 'application/json',
        'user-agent': version === 'coglet' ? 'coglet/0.23.1' : 'cog/0.16.12',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      }
      const signal = AbortSignal.any([limit.signal, gone])
      const response = await send(url, { method: 'POST', headers, body, signal })
      await response.body?.cancel()
      return !retried.has(response.status)
    } catch {
      return gone.aborted
    } finally {
      cancel()
    }
  }

  function close(): void {
    stopped.abort(new Error('the container is gone'))
    for (const cancel of timers) cancel()
  }

  return {
    notify,
    close,
    drop() {
      close()
      stopped = new AbortController()
    },
  }
}
