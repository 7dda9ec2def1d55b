import { createHmac } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Run, WebhookStatus } from './run.ts'

/** Between the first try and the second, which is the last. Source: docs.baseten.co/inference/async. */
const retryMs = 2_000
/** A receiver may take this long. */
const answerMs = 10_000
/** Answers after which there is a second try; a connection that fails counts as one, which the documents leave open. */
const passing: readonly number[] = [500, 502, 503, 504]

export interface WebhookOptions {
  readonly clock: Clock
  /** The workspace's secrets, newest first; each signs. Without any, webhooks are unsigned. */
  readonly secrets: readonly string[]
  readonly send: typeof globalThis.fetch
}

export interface Webhooks {
  /** Tells of a run's end; `settled` gets to know what became of it. */
  notify(run: Run, settled: (status: WebhookStatus) => void): void
  close(): void
}

/** Delivers webhooks as the vendor does: the whole result, once, and once more after an error that may pass. */
export function createWebhooks({ clock, secrets, send }: WebhookOptions): Webhooks {
  const timers = new Set<() => void>()
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

  /** The receiver's status; 503 where it cannot be reached or does not answer. */
  async function post({ webhook, id }: Run, body: string, signature: string | null): Promise<number> {
    const limit = new AbortController()
    const cancel = later(answerMs, () => limit.abort(new Error('the receiver did not answer in time')))
    try {
      const response = await send(webhook ?? '', {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          'x-baseten-request-id': id,
          ...(signature === null ? {} : { 'x-baseten-signature': signature }),
        },
        body,
        signal: AbortSignal.any([limit.signal, closed.signal]),
      })
      await response.body?.cancel()
      return response.status
    } catch {
      return 503
    } finally {
      cancel()
    }
  }

  async function deliver(run: Run, body: string, settled: (status: WebhookStatus) => void, tries = 1): Promise<void> {
    const status = await carried(run, body)
    if (closed.signal.aborted) return
    if (passing.includes(status) && tries < 2) later(retryMs, () => void deliver(run, body, settled, tries + 1))
    else settled(status >= 200 && status < 300 ? 'SUCCEEDED' : 'FAILED')
  }

  async function carried(run: Run, body: string): Promise<number> {
    if (run.faults.has('webhook-lost')) return 503
    return run.faults.has('webhook-swallowed') ? 200 : await post(run, body, sign(secrets, body))
  }

  return {
    notify(run, settled) {
      const { faults } = run
      const behindMs = faults.has('webhook-skewed') ? faults.number('webhook-skewed') * 1000 : 0
      const content = compose(run, clock.now() - behindMs)
      if (faults.has('webhook-forged')) {
        const lie = JSON.stringify({ ...content, data: 'https://forger.example/evil.ply', errors: [] })
        later(0, () => void post(run, lie, sign(['whsec_forger'], lie)))
      }
      const body = JSON.stringify(content)
      const delay = faults.has('webhook-late') ? faults.number('webhook-late') * 1000 : 0
      const copies = faults.has('webhook-duplicate') ? faults.number('webhook-duplicate') : 1
      for (let copy = 0; copy < copies; copy++) later(delay + copy + 1, () => void deliver(run, body, settled))
    },
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const cancel of timers) cancel()
    },
  }
}

function compose({ id, model, deployment, data, errors }: Run, at: number): Record<string, unknown> {
  return {
    request_id: id,
    model_id: model,
    deployment_id: deployment,
    // The same for success and failure.
    type: 'async_request_completed',
    time: new Date(at).toISOString(),
    data: data ?? null,
    errors,
  }
}

/** HMAC-SHA256 over the raw body, keyed by the whole secret; one signature for each secret. Null without secrets. */
export function sign(secrets: readonly string[], body: string): string | null {
  if (secrets.length === 0) return null
  return secrets.map(secret => `v1=${createHmac('sha256', secret).update(body).digest('hex')}`).join(',')
}
