import type { Clock } from '../../core/clock.ts'
import type { FaultName } from '../catalogue.ts'
import { hang, pause } from '../connection.ts'
import type { Work, WorkTask } from '../contract.ts'
import { createGate, type Gate } from '../gate.ts'
import { type Kit, kitOf, wordsOf } from '../kit.ts'
import { once } from '../misbehave.ts'
import { spoil } from '../spoil.ts'
import { crashed, hiddenError } from './answers.ts'
import type { Replicas } from './replicas.ts'
import { type Answers, arrived, resultOf } from './results.ts'
import { isOver, type Run, type RunError, type RunStatus, type WebhookStatus } from './run.ts'

/** From the model's return to the run's end. */
const postMs = 300
/** The router tries a replica that died under its request once more after this long; one POST may be two executions. */
const routerRetryMs = 500
const routerTries = 2
/** Longest run in the queue's mode and on a connection. Source: docs.baseten.co/inference/async and its predict page. */
const runLimitMs = { async: 3_600_000, sync: 1_200_000 } as const
/** When the fault `timed-out` strikes, counted from the submission or from the start. */
const timedOutMs = { queue: 30_000, run: 5_000 } as const
/** How far a run is when its deployment is switched off under it. */
const deactivatedAt = 0.5

export interface LifeOptions {
  readonly clock: Clock
  readonly work: Work
  readonly answers: Answers
  readonly send: typeof globalThis.fetch
  readonly closed: AbortSignal
  readonly replicasOf: (deployment: string) => Replicas
  /** Fetches the input's files; fails as the model would. */
  readonly fetchFiles: (input: WorkTask['input'], signal: AbortSignal) => Promise<WorkTask['files']>
  readonly notify: (run: Run, settled: (status: WebhookStatus) => void) => void
  /** Switches a model off for a while. */
  readonly deactivate: (run: Run) => void
}

export interface Life {
  begin(run: Run): void
  /** A replica took the request. */
  run(run: Run): void
  /** True when it was still waiting, and is no more. */
  cancel(run: Run): boolean
  /** Ends it without a word to anybody. */
  drop(run: Run): void
  /** Stops everything of a run without ending it. */
  stop(run: Run): void
}

/** How an execution ended. `dead`: its container is no more. */
type Ending =
  | { readonly kind: 'good'; readonly data: unknown }
  | { readonly kind: 'bad'; readonly error: RunError }
  | { readonly kind: 'dead' }
  | { readonly kind: 'replaced' }

/** Faults that end an execution, as the model's exceptions; a machine without memory kills the container without a word. */
const failures: readonly (readonly [FaultName, string])[] = [
  ['oom', crashed],
  ['cuda-oom', 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has 23.5 GiB in total'],
  ['cuda-poisoned', 'RuntimeError: CUDA error: an illegal memory access was encountered'],
  ['model-error', 'ValueError: Input image must have 3 channels, got 4'],
  ['upload-error', 'RuntimeError: Could not upload the output: 403'],
]

/**
 * The life of a request: QUEUED until a replica takes it or its time in the queue is over, IN_PROGRESS for as many
 * executions as its caller and the router allow, then an end and its webhook. Only what is QUEUED can be cancelled.
 */
export function createLife(options: LifeOptions): Life {
  const { clock, work, answers, send, closed, replicasOf, fetchFiles, notify, deactivate } = options

  function later(run: Run, ms: number, then: () => void): void {
    const cancel = clock.after(ms, () => {
      run.timers.delete(cancel)
      then()
    })
    run.timers.add(cancel)
  }

  function clear(run: Run): void {
    for (const cancel of run.timers) cancel()
    run.timers.clear()
  }

  function become(run: Run, status: RunStatus): void {
    run.status = status
    run.statusAt = clock.now()
  }

  function end(run: Run, status: RunStatus, how: 'free' | 'remove'): void {
    if (isOver(run)) return
    become(run, status)
    run.completedAt = clock.now()
    clear(run)
    run.stop.abort(new Error('the run has ended'))
    replicasOf(run.deployment)[how](run)
    run.ended.resolve()
  }

  function begin(run: Run): void {
    const queueMs = run.faults.text('timed-out') === 'queue' ? timedOutMs.queue : run.queueMs
    // Nobody waits on a connection for longer than a prediction may take.
    later(run, Math.min(queueMs, run.sync ? runLimitMs.sync : Infinity), () => {
      run.errors = run.sync ? [{ code: 'INTERNAL_SERVER_ERROR', message: 'no replica became ready in time' }] : []
      withdraw(run, 'EXPIRED')
    })
    replicasOf(run.deployment).add(run)
  }

  /** It never ran: nothing is delivered. */
  function withdraw(run: Run, status: 'EXPIRED' | 'CANCELED'): void {
    if (run.webhook !== null) run.webhookStatus = 'CANCELED'
    end(run, status, 'remove')
  }

  function take(run: Run): void {
    clear(run)
    become(run, 'IN_PROGRESS')
    run.startedAt = clock.now()
    const limit = run.faults.text('timed-out') === 'run' ? timedOutMs.run : runLimitMs[run.sync ? 'sync' : 'async']
    later(run, limit, () => {
      const message = `the prediction took longer than ${limit / 1000} s`
      conclude(run, { kind: 'bad', error: { code: 'MODEL_PREDICT_TIMEOUT', message } })
    })
    void attempt(run).catch(() => undefined)
  }

  async function attempt(run: Run): Promise<void> {
    let deaths = 0
    for (let tries = 1; ; ) {
      const ending = await execute(run)
      // Ended from outside meanwhile, or the emulator was closed.
      if (run.stop.signal.aborted) return
      const isRepeated = ending.kind === 'replaced' || (ending.kind === 'dead' && ++deaths < routerTries)
      if (!isRepeated && (ending.kind === 'good' || tries >= run.maxAttempts)) return conclude(run, ending)
      const waitMs = isRepeated ? routerRetryMs : Math.min(run.maxDelayMs, run.initialDelayMs * 2 ** (tries - 1))
      if (!isRepeated) {
        tries += 1
        deaths = 0
      }
      await pause(clock, waitMs, run.stop.signal)
    }
  }

  /** One replica's work on the run, as the caller may get to know it. */
  async function execute(run: Run): Promise<Ending> {
    run.executions += 1
    if (once(run, 'not-ready')) return bad('MODEL_NOT_READY', 'Model has started running, but not ready yet')
    const { promise, resolve } = Promise.withResolvers<Ending>()
    const stop = new AbortController()
    const signal = AbortSignal.any([stop.signal, run.stop.signal])
    const kit = kitOf(run, send, closed)
    // Exceptions stay in the logs; our kits answer with what went wrong, in the way that the server lets pass.
    const fail = (words: string) =>
      resolve(
        words === crashed
          ? { kind: 'dead' }
          : bad('MODEL_PREDICT_ERROR', kit === null ? hiddenError : wordsOf(kit, words)),
      )
    const gate = createGate(run, failures, {
      isOver: () => signal.aborted,
      write(fraction) {
        if (fraction >= deactivatedAt && once(run, 'deactivated')) deactivate(run)
      },
      fail,
      restart: () => resolve({ kind: 'replaced' }),
    })
    perform(run, kit, gate, signal).then(
      data => resolve({ kind: 'good', data }),
      (error: unknown) => fail(`RuntimeError: ${error instanceof Error ? error.message : String(error)}`),
    )
    return await promise.finally(() => stop.abort(new Error('the execution has ended')))
  }

  async function perform(run: Run, kit: Kit | null, gate: Gate, signal: AbortSignal): Promise<unknown> {
    kit?.hello()
    const files = await fetchFiles(run.input, signal)
    const outputs = await work({ model: `baseten/${run.model}`, input: run.input, files }, gate.at, signal)
    gate.end()
    if (gate.frozen()) await hang(signal)
    const [first, ...rest] = await spoil(run.faults, outputs, kit === null && answers === 'bucket')
    let data: unknown = null
    if (first !== undefined && kit !== null) data = await kit.upload(first, signal)
    else if (first !== undefined) {
      run.files = [first, ...rest]
      data = await resultOf(run, run.files, answers)
    }
    await pause(clock, postMs, signal)
    return arrived(run, data)
  }

  function conclude(run: Run, ending: Ending): void {
    if (isOver(run)) return
    if (ending.kind === 'good') run.data = ending.data
    else run.errors = [ending.kind === 'bad' ? ending.error : { code: 'MODEL_PREDICT_ERROR', message: crashed }]
    end(run, ending.kind === 'good' ? 'SUCCEEDED' : 'FAILED', ending.kind === 'dead' ? 'remove' : 'free')
    // A request that the vendor lost sends none.
    if (run.webhook === null || run.forgotten) return
    notify(run, status => {
      run.webhookStatus = status
      if (status === 'FAILED' && run.status === 'SUCCEEDED') become(run, 'WEBHOOK_FAILED')
    })
  }

  return {
    begin,
    run: take,
    cancel(run) {
      if (run.status !== 'QUEUED' || run.faults.has('cancel-ignored')) return false
      withdraw(run, 'CANCELED')
      return true
    },
    drop: run => withdraw(run, 'CANCELED'),
    stop(run) {
      clear(run)
      run.stop.abort(new Error('the emulator was closed'))
    },
  }
}

function bad(code: string, message: string): Ending {
  return { kind: 'bad', error: { code, message } }
}
