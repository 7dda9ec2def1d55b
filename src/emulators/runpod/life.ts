import type { Clock } from '../../core/clock.ts'
import type { FaultName } from '../catalogue.ts'
import { pause } from '../connection.ts'
import type { Work, WorkTask } from '../contract.ts'
import { createGate, type Gate } from '../gate.ts'
import { type Kit, kitOf, wordsOf } from '../kit.ts'
import { once } from '../misbehave.ts'
import { spoil } from '../spoil.ts'
import { exception } from './answers.ts'
import { type Execution, isOver, type Job, type JobStatus } from './job.ts'
import type { Pool } from './pool.ts'
import { type Answers, arrived, resultOf } from './results.ts'

/** From the handler's return to the job's end. */
const postMs = 300
/** A second worker gets a job whose first one seems dead after this long. */
const againMs = 2_000
/** When the fault `timed-out` strikes, counted from the submission or from the start. */
const timedOutMs = { queue: 30_000, run: 5_000 } as const

export interface LifeOptions {
  readonly clock: Clock
  readonly work: Work
  readonly answers: Answers
  readonly send: typeof globalThis.fetch
  readonly closed: AbortSignal
  readonly poolOf: (endpoint: string) => Pool
  /** Fetches the input's files; fails as the handler would. */
  readonly fetchFiles: (input: WorkTask['input'], signal: AbortSignal) => Promise<WorkTask['files']>
  readonly notify: (job: Job) => void
}

export interface Life {
  begin(job: Job): void
  /** A worker took the job. */
  run(job: Job, workerId: string): void
  /** A real worker took the job: its execution ends when the job does, by whatever. */
  take(job: Job, workerId: string): Execution
  /** A real worker's update of its progress. */
  report(job: Job, progress: unknown): void
  /** A real worker's result; an error makes it a failure. */
  end(job: Job, workerId: string, result: { readonly output?: unknown; readonly error?: string }): void
  cancel(job: Job): void
  /** Stops everything of a job without ending it. */
  stop(job: Job): void
}

/** Faults that end a job as failed, as the handler's exceptions. */
const failures: readonly (readonly [FaultName, string])[] = [
  ['oom', 'MemoryError: cannot allocate 2147483648 bytes'],
  ['cuda-oom', 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has 23.5 GiB in total'],
  ['cuda-poisoned', 'RuntimeError: CUDA error: an illegal memory access was encountered'],
  ['model-error', 'ValueError: Input image must have 3 channels, got 4'],
  [
    'upload-error',
    'botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the PutObject operation: Access Denied',
  ],
]

/**
 * The life of a job: IN_QUEUE until a worker takes it, IN_PROGRESS while the handler works, then an end. A worker that dies
 * puts it back into the queue under the same id. Time to live, execution timeout, cancel and faults may end it earlier.
 */
export function createLife(options: LifeOptions): Life {
  const { clock, work, answers, send, closed, poolOf, fetchFiles, notify } = options

  function later(job: Job, ms: number, then: () => void): void {
    const cancel = clock.after(ms, () => {
      job.timers.delete(cancel)
      then()
    })
    job.timers.add(cancel)
  }

  function stop(job: Job): void {
    for (const cancel of job.timers) cancel()
    job.timers.clear()
    for (const { stop } of job.executions) stop.abort(new Error('the job has ended'))
  }

  function finish(job: Job, status: JobStatus, more: { output?: unknown; error?: string } = {}): void {
    if (isOver(job)) return
    job.status = status
    job.output = more.output
    job.error = more.error ?? null
    job.completedAt = clock.now()
    for (const cancel of job.timers) cancel()
    job.timers.clear()
    poolOf(job.endpoint).remove(job)
    // Nothing says that a cancel or a timeout sends a webhook, and a job that the vendor lost sends none.
    if (!job.forgotten && (status === 'COMPLETED' || status === 'FAILED')) notify(job)
    if (status === 'COMPLETED' && once(job, 'progress-late')) job.isOverwritten = true
    for (const wake of job.waiters) wake()
  }

  function leave(job: Job, execution: Execution, how: 'free' | 'kill'): void {
    if (!job.executions.delete(execution)) return
    execution.stop.abort(new Error('the worker left the job'))
    poolOf(job.endpoint)[how](execution.workerId)
  }

  /** Ends a job from outside: its workers drop it, or stop with it. */
  function endAll(job: Job, status: JobStatus, how: 'free' | 'kill'): void {
    finish(job, status)
    for (const execution of [...job.executions]) leave(job, execution, how)
  }

  function begin(job: Job): void {
    later(job, job.ttlMs, () => {
      job.forgotten = true
      endAll(job, 'TIMED_OUT', 'free')
    })
    if (job.faults.text('timed-out') === 'queue') later(job, timedOutMs.queue, () => endAll(job, 'TIMED_OUT', 'free'))
    poolOf(job.endpoint).add(job)
  }

  function run(job: Job, workerId: string): void {
    const execution = take(job, workerId)
    if (once(job, 'run-twice'))
      later(job, againMs, () => {
        job.retries += 1
        poolOf(job.endpoint).add(job)
      })
    void process(job, execution)
  }

  function take(job: Job, workerId: string): Execution {
    const execution: Execution = { workerId, stop: new AbortController() }
    job.executions.add(execution)
    job.status = 'IN_PROGRESS'
    job.startedAt = clock.now()
    job.workerId = workerId
    const limit = job.faults.text('timed-out') === 'run' ? timedOutMs.run : job.executionTimeoutMs
    later(job, limit, () => {
      // Another worker may have taken the job since; its time counts from then.
      if (job.executions.has(execution)) endAll(job, 'TIMED_OUT', 'kill')
    })
    return execution
  }

  function report(job: Job, progress: unknown): void {
    job.progress = progress
    for (const wake of job.waiters) wake()
  }

  function end(job: Job, workerId: string, { output, error }: { output?: unknown; error?: string }): void {
    finish(job, error === undefined ? 'COMPLETED' : 'FAILED', { output, error })
    for (const execution of [...job.executions]) if (execution.workerId === workerId) leave(job, execution, 'free')
  }

  async function process(job: Job, execution: Execution): Promise<void> {
    const { signal } = execution.stop
    const kit = kitOf(job, send, closed)
    const gate = gateOf(job, execution, kit)
    try {
      kit?.hello()
      const files = await fetchFiles(job.input, signal)
      const outputs = await work({ model: `runpod/${job.endpoint}`, input: job.input, files }, gate.at, signal)
      gate.end()
      if (signal.aborted || gate.frozen()) return
      const result = await deliver(job, outputs, kit, signal)
      await pause(clock, postMs, signal)
      // Where another worker was faster, the job is over, and this result is one too many.
      finish(job, 'COMPLETED', { output: arrived(job, result) })
      leave(job, execution, 'free')
    } catch (error) {
      // An aborted handler was ended by the life itself; only the handler's own errors end the job here.
      if (signal.aborted) return
      fail(job, execution, kit, `RuntimeError: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async function deliver(
    job: Job,
    outputs: Awaited<ReturnType<Work>>,
    kit: Kit | null,
    signal: AbortSignal,
  ): Promise<unknown> {
    const [first, ...rest] = await spoil(job.faults, outputs, kit === null && answers === 'bucket')
    if (first === undefined) return undefined
    if (kit !== null) return kit.upload(first, signal)
    job.files = [first, ...rest]
    return resultOf(job, job.files, answers)
  }

  function fail(job: Job, execution: Execution, kit: Kit | null, words: string): void {
    // Our kits answer with their words, others raise.
    const error = kit === null ? exception(words, execution.workerId) : wordsOf(kit, words)
    finish(job, 'FAILED', { error })
    leave(job, execution, 'free')
  }

  function gateOf(job: Job, execution: Execution, kit: Kit | null): Gate {
    return createGate(job, failures, {
      isOver: () => isOver(job) || execution.stop.signal.aborted,
      write(fraction, line) {
        // Handlers send what they like; ours send what our adapter reads best.
        const progress = kit === null ? { pct: Math.round(fraction * 100), step: line } : { stage: 'working', fraction }
        job.chunks.push({ output: progress })
        report(job, progress)
      },
      fail: words => fail(job, execution, kit, words),
      restart() {
        leave(job, execution, 'kill')
        job.status = 'IN_QUEUE'
        job.retries += 1
        poolOf(job.endpoint).add(job)
      },
    })
  }

  return {
    begin,
    run,
    take,
    report,
    end,
    stop,
    cancel(job) {
      if (job.faults.has('cancel-ignored')) return
      if (job.isOverwritten) {
        job.isOverwritten = false
        job.status = 'CANCELLED'
        job.output = undefined
      }
      endAll(job, 'CANCELLED', 'free')
    },
  }
}
