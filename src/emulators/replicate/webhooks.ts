import { createHmac } from 'node:crypto'
import type { Clock, Random } from '../../core/clock.ts'
import { type EventName, type Run, view } from './run.ts'

/** Waits before the tries of a terminal webhook; the last one comes about a minute after the end. */
const retriesMs = [1000, 2000, 4000, 8000, 16_000, 29_000] as const
/** `output` and `logs` at most once in this time. */
const throttleMs = 500
/** Receivers have to answer "within a few seconds". */
const answerMs = 10_000

export interface WebhookOptions {
  readonly clock: Clock
  readonly random: Random
  /** `whsec_...` */
  readonly secret: string
  readonly send: typeof globalThis.fetch
}

export interface Webhooks {
  notify(run: Run, event: EventName): void
  close(): void
}

interface Message {
  readonly id: string
  readonly url: string
  readonly body: string
  readonly signature: 'good' | 'forged'
  /** Seconds since 1970. */
  readonly stamp: number
  readonly retried: boolean
}

/** Delivers webhooks as the vendor does: signed, throttled, redirects not followed, only the last one retried. */
export function createWebhooks({ clock, random, secret, send }: WebhookOptions): Webhooks {
  const timers = new Set<() => void>()
  const sentAt = new Map<string, number>()
  const scheduled = new Set<string>()
  const held = new Map<string, Message>()
  const closed = new AbortController()

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

  function notify(run: Run, event: EventName): void {
    const wanted = run.events ?? ['output', 'completed']
    if (run.webhook === null || !wanted.includes(event)) return
    if (event === 'start' || event === 'completed') return dispatch(run, event)
    const key = `${run.id} ${event}`
    const wait = (sentAt.get(key) ?? -Infinity) + throttleMs - clock.now()
    if (scheduled.has(key)) return
    scheduled.add(key)
    later(Math.max(0, wait), () => {
      scheduled.delete(key)
      sentAt.set(key, clock.now())
      dispatch(run, event)
    })
  }

  function dispatch(run: Run, event: EventName): void {
    const { faults } = run
    const message = compose(run, event)
    if (faults.has('webhook-forged')) forge(run)
    if (faults.has('webhook-lost')) return
    if (faults.has('webhook-reordered') && event === 'start') {
      held.set(run.id, message)
      return
    }
    const delay = faults.has('webhook-late') ? faults.number('webhook-late') * 1000 : 0
    const copies = faults.has('webhook-duplicate') ? faults.number('webhook-duplicate') : 1
    const first = held.get(run.id)
    held.delete(run.id)
    for (let copy = 0; copy < copies; copy++) later(delay + copy, () => void deliver(message))
    if (first !== undefined) later(delay + copies, () => void deliver(first))
  }

  function compose(run: Run, event: EventName, signature: Message['signature'] = 'good'): Message {
    const behind = run.faults.has('webhook-skewed') ? run.faults.number('webhook-skewed') : 0
    return {
      id: `msg_${Array.from({ length: 24 }, () => Math.floor(random() * 36).toString(36)).join('')}`,
      url: run.webhook ?? '',
      body: JSON.stringify(view(run, clock.now())),
      signature,
      stamp: Math.floor(clock.now() / 1000) - behind,
      retried: event === 'completed',
    }
  }

  function forge(run: Run): void {
    const message = compose(run, 'start', 'forged')
    const lie = { ...view(run, clock.now()), status: 'succeeded', output: 'https://forger.example/evil.ply' }
    later(0, () => void deliver({ ...message, body: JSON.stringify(lie) }))
  }

  async function deliver(message: Message, tries = 0): Promise<void> {
    if (await post(message)) return
    const wait = retriesMs[tries]
    if (message.retried && wait !== undefined) later(wait, () => void deliver(message, tries + 1))
  }

  /** True when there is nothing left to do: taken, or redirected, which loses it. */
  async function post(message: Message): Promise<boolean> {
    const limit = new AbortController()
    const cancel = later(answerMs, () => limit.abort(new Error('the receiver did not answer in time')))
    try {
      const response = await send(message.url, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          'webhook-id': message.id,
          'webhook-timestamp': String(message.stamp),
          'webhook-signature': sign(message.signature === 'good' ? secret : 'whsec_Zm9yZ2Vy', message),
        },
        body: message.body,
        signal: AbortSignal.any([limit.signal, closed.signal]),
      })
      await response.body?.cancel()
      return response.status < 400
    } catch {
      return closed.signal.aborted
    } finally {
      cancel()
    }
  }

  return {
    notify,
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const cancel of timers) cancel()
    },
  }
}

/** The Svix scheme: base64 of HMAC-SHA256 over "id.timestamp.body", keyed by what follows `whsec_`. */
export function sign(secret: string, message: { id: string; stamp: number; body: string }): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  return `v1,${createHmac('sha256', key).update(`${message.id}.${message.stamp}.${message.body}`).digest('base64')}`
}
