import type { Clock } from '../../core/clock.ts'
import type { HealthView, Job } from './job.ts'

type WorkerState = 'initializing' | 'idle' | 'running' | 'throttled' | 'unhealthy'

/** A machine that is billed from its start to its stop, whether or not it works. */
interface Worker {
  readonly id: string
  state: WorkerState
  /** The job that it was started for, then the one that it worked on last: that one pays. */
  job: Job
  paidUntil: number
  cancelTimer: () => void
}

export interface PoolOptions {
  readonly clock: Clock
  /** Cold start. */
  readonly bootMs: number
  /** An idle worker stops after this long. */
  readonly idleMs: number
  readonly maxWorkers: number
  readonly newWorkerId: () => string
  /** A worker took the job. */
  readonly run: (job: Job, workerId: string) => void
}

/** The queue of one endpoint and the workers that it scales from zero. */
export interface Pool {
  add(job: Job): void
  /** Takes a job out of the queue, with the workers that only it kept. */
  remove(job: Job): void
  /** The worker's job is over: it takes the next one, or idles and stops. */
  free(workerId: string): void
  /** The worker is no more. */
  kill(workerId: string): void
  readonly queue: readonly Job[]
  /** `GET /health`'s `workers`. */
  workers(): HealthView['workers']
  /** Writes the time that is not billed yet to its jobs. */
  charge(): void
  close(): void
}

/** A crashed worker is started again after this long. */
const crashPauseMs = 10_000

/**
 * First come, first served; one job per worker. A job whose fault keeps it from ever being taken holds a worker of its own
 * in the state that its fault shows in the endpoint's health.
 */
export function createPool({ clock, bootMs, idleMs, maxWorkers, newWorkerId, run }: PoolOptions): Pool {
  const queue: Job[] = []
  const workers = new Map<string, Worker>()

  function dispatch(): void {
    for (const job of [...queue]) {
      const stuck = stuckAs(job)
      if (stuck !== null) {
        if (stuck !== 'unserved' && ![...workers.values()].some(worker => worker.job === job)) spawn(job, stuck)
        continue
      }
      const idle = find('idle')[0]
      if (idle !== undefined) take(idle, job)
    }
    const waiting = queue.filter(job => stuckAs(job) === null && !job.lowPriority)
    const coming = find('initializing').filter(worker => stuckAs(worker.job) === null).length
    for (const job of waiting.slice(coming)) if (workers.size < maxWorkers) spawn(job, 'initializing')
  }

  function find(state: WorkerState): Worker[] {
    return [...workers.values()].filter(worker => worker.state === state)
  }

  function spawn(job: Job, state: WorkerState): void {
    const worker: Worker = { id: newWorkerId(), state, job, paidUntil: clock.now(), cancelTimer: () => {} }
    workers.set(worker.id, worker)
    if (state === 'throttled' || job.faults.has('boot-forever')) return
    const wait = job.faults.has('boot-slow') ? job.faults.number('boot-slow') * 1000 : bootMs
    worker.cancelTimer = clock.after(wait, () => {
      if (job.faults.has('crash-loop')) return crash(worker)
      worker.state = 'idle'
      dispatch()
      rest(worker)
    })
  }

  function crash(worker: Worker): void {
    charge(worker)
    worker.state = 'unhealthy'
    worker.cancelTimer = clock.after(crashPauseMs, () => kill(worker.id))
  }

  function take(worker: Worker, job: Job): void {
    worker.cancelTimer()
    queue.splice(queue.indexOf(job), 1)
    charge(worker)
    worker.state = 'running'
    worker.job = job
    run(job, worker.id)
  }

  function rest(worker: Worker): void {
    if (worker.state === 'idle') worker.cancelTimer = clock.after(idleMs, () => kill(worker.id))
  }

  function kill(workerId: string): void {
    const worker = workers.get(workerId)
    if (worker === undefined) return
    worker.cancelTimer()
    charge(worker)
    workers.delete(workerId)
    dispatch()
  }

  function charge(worker: Worker): void {
    const now = clock.now()
    if (worker.state !== 'throttled' && worker.state !== 'unhealthy') worker.job.billedMs += now - worker.paidUntil
    worker.paidUntil = now
  }

  return {
    queue,
    kill,
    add(job) {
      queue.push(job)
      dispatch()
    },
    remove(job) {
      // It waits there twice when it was handed to a second worker and the first one died.
      for (let at = queue.indexOf(job); at >= 0; at = queue.indexOf(job)) queue.splice(at, 1)
      if (stuckAs(job) !== null) for (const worker of workers.values()) if (worker.job === job) kill(worker.id)
    },
    free(workerId) {
      const worker = workers.get(workerId)
      if (worker === undefined) return
      charge(worker)
      worker.state = 'idle'
      dispatch()
      rest(worker)
    },
    workers: () => ({
      idle: find('idle').length,
      initializing: find('initializing').length,
      ready: find('idle').length,
      running: find('running').length,
      throttled: find('throttled').length,
      unhealthy: find('unhealthy').length,
    }),
    charge() {
      for (const worker of workers.values()) charge(worker)
    },
    close() {
      for (const worker of workers.values()) worker.cancelTimer()
    },
  }
}

/** What a job that no worker will ever take shows in the health; null for every other job. */
function stuckAs({ faults }: Job): 'throttled' | 'initializing' | 'unserved' | null {
  if (faults.has('queue-forever')) return 'throttled'
  if (faults.has('boot-forever') || faults.has('crash-loop')) return 'initializing'
  if (faults.has('scaled-down')) return 'unserved'
  return faults.has('timed-out') && faults.text('timed-out') === 'queue' ? 'unserved' : null
}
