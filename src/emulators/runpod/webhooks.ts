import type { Clock } from '../../core/clock.ts'
import { type Job, view } from './job.ts'

/** After the first try; between them `retryMs`. Source: the vendor's page on sending requests. */
const retries = 2
const retryMs = 10_000
/** How long a receiver may take is not documented. */
const answerMs = 10_000

export interface Webhooks {
  /** Tells of a job's end. */
  notify(job: Job): void
  close(): void
}

/** Delivers webhooks as the vendor does: one URL per job, unsigned, the whole job with its input, until a 200. */
export function createWebhooks(clock: Clock, send: typeof globalThis.fetch): Webhooks {
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

  async function deliver(url: string, body: string, tries = 0): Promise<void> {
    if (!(await post(url, body)) && tries < retries) later(retryMs, () => void deliver(url, body, tries + 1))
  }

  async function post(url: string, body: string): Promise<boolean> {
    const limit = new AbortController()
    const cancel = later(answerMs, () => limit.abort(new Error('the receiver did not answer in time')))
    try {
      const signal = AbortSignal.any([limit.signal, closed.signal])
      const headers = { 'content-type': 'application/json' }
      const response = await send(url, { method: 'POST', redirect: 'manual', headers, body, signal })
      await response.body?.cancel()
      return response.status === 200
    } catch {
      return closed.signal.aborted
    } finally {
      cancel()
    }
  }

  return {
    notify(job) {
      const { webhook, input, faults } = job
      if (webhook === null || faults.has('webhook-lost')) return
      const body = JSON.stringify({ ...view(job), input, webhook })
      const delay = faults.has('webhook-late') ? faults.number('webhook-late') * 1000 : 0
      const copies = faults.has('webhook-duplicate') ? faults.number('webhook-duplicate') : 1
      for (let copy = 0; copy < copies; copy++) later(delay + copy, () => void deliver(webhook, body))
    },
    close() {
      closed.abort(new Error('the emulator was closed'))
      for (const cancel of timers) cancel()
    },
  }
}
