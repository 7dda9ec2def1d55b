import type { Clock } from '../../core/clock.ts'
import { pause } from '../connection.ts'
import type { Job } from './job.ts'
import type { Pool } from './pool.ts'

/** The queue of an endpoint whose workers are real ones that ask for jobs. */
export interface OutsidePool extends Pool {
  /** The first job in the queue, waited for at most so long; null: there was none. Rejects when the signal ends. */
  next(ms: number, ...signals: readonly AbortSignal[]): Promise<Job | null>
  /** The worker works on the job from now on, and is billed for it until `free` or `kill`. */
  hold(workerId: string, job: Job): void
}

/** First come, first served. Workers are known from their first question on, and never stop by themselves. */
export function createOutsidePool(clock: Clock): OutsidePool {
  const queue: Job[] = []
  const waiting = new Set<() => void>()
  const workers = new Map<string, { job: Job; paidUntil: number } | null>()

  function charge(workerId: string): void {
    const work = workers.get(workerId)
    if (work === undefined || work === null) return
    work.job.billedMs += clock.now() - work.paidUntil
    work.paidUntil = clock.now()
  }

  function free(workerId: string): void {
    charge(workerId)
    workers.set(workerId, null)
  }

  return {
    queue,
    free,
    kill: free,
    add(job) {
      queue.push(job)
      for (const wake of waiting) wake()
    },
    remove(job) {
      const at = queue.indexOf(job)
      if (at >= 0) queue.splice(at, 1)
    },
    async next(ms, ...signals) {
      if (queue.length === 0) {
        const woken = new AbortController()
        const wake = () => woken.abort()
        waiting.add(wake)
        await pause(clock, ms, woken.signal, ...signals).catch(() => undefined)
        waiting.delete(wake)
      }
      for (const signal of signals) signal.throwIfAborted()
      return queue.shift() ?? null
    },
    hold(workerId, job) {
      workers.set(workerId, { job, paidUntil: clock.now() })
    },
    workers() {
      const running = [...workers.values()].filter(work => work !== null).length
      const idle = workers.size - running
      return { idle, initializing: 0, ready: idle, running, throttled: 0, unhealthy: 0 }
    },
    charge() {
      for (const workerId of workers.keys()) charge(workerId)
    },
    close() {},
  }
}
