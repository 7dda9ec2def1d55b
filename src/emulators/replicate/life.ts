import type { Clock } from '../../core/clock.ts'
import type { FaultName } from '../catalogue.ts'
import type { Work, WorkOutput, WorkTask } from '../contract.ts'
import { corrupt } from '../corrupt.ts'
import { createGate, type Gate } from '../gate.ts'
import { type EventName, isOver, type Run, type RunStatus } from './run.ts'

/** The vendor ends what runs longer. The wording of that end is not documented. */
const runLimitMs = 30 * 60_000
/** A cancel's own answer may still show the old status. */
const cancelMs = 200
/** Storing outputs; `completed_at` counts from its end. */
const uploadMs = 300

export interface LifeOptions {
  readonly clock: Clock
  readonly work: Work
  readonly bootMs: number
  /** Fetches the input's files; fails as the model would. */
  readonly fetchFiles: (input: WorkTask['input'], signal: AbortSignal) => Promise<WorkTask['files']>
  readonly notify: (run: Run, event: EventName) => void
}

export interface Life {
  begin(run: Run): void
  cancel(run: Run): void
  /** Stops everything of a run without ending it. */
  stop(run: Run): void
}

/** Faults that end a run as failed, with the vendor's words. */
const failures: readonly (readonly [FaultName, string])[] = [
  ['oom', 'E1001: the model ran out of memory'],
  ['cuda-oom', 'CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 44.32 GiB'],
  ['cuda-poisoned', 'CUDA error: an illegal memory access was encountered'],
  ['model-error', 'Input image must have 3 channels, got 4'],
  ['interrupted', 'Prediction interrupted; please retry (code: PA)'],
  ['upload-error', 'Got error trying to upload output files'],
]

/**
 * The life of a prediction: `starting` until booted, `processing` while the work runs and its outputs are stored, then
 * one end that nothing changes any more. Deadline, run limit, cancel and faults may end it earlier.
 */
export function createLife({ clock, work, bootMs, fetchFiles, notify }: LifeOptions): Life {
  function later(run: Run, ms: number, then: () => void): void {
    const cancel = clock.after(ms, () => {
      run.timers.delete(cancel)
      then()
    })
    run.timers.add(cancel)
  }

  function stop(run: Run): void {
    for (const cancel of run.timers) cancel()
    run.timers.clear()
    run.work.abort(new Error('the run has ended'))
  }

  function finish(run: Run, status: RunStatus, error: string | null = null): void {
    if (isOver(run)) return
    run.status = status
    run.error = error
    run.completedAt = clock.now()
    stop(run)
    // The documents name succeeded, canceled and failed for this event; nothing promises one for `aborted`.
    if (status !== 'aborted') notify(run, 'completed')
    for (const wake of run.waiters) wake()
  }

  function begin(run: Run): void {
    const { faults } = run
    if (run.deadlineAt !== null)
      later(run, run.deadlineAt - clock.now(), () => finish(run, run.startedAt === null ? 'aborted' : 'canceled'))
    if (faults.has('aborted')) return later(run, faults.number('aborted') * 1000, () => finish(run, 'aborted'))
    if (faults.has('boot-timeout'))
      return later(run, faults.number('boot-timeout') * 1000, () =>
        finish(run, 'failed', 'E6716: timeout starting prediction'),
      )
    if (faults.has('queue-forever') || faults.has('boot-forever')) return
    const wait = faults.has('boot-slow') ? faults.number('boot-slow') * 1000 : bootMs
    later(run, wait, () => {
      run.status = 'processing'
      run.startedAt = clock.now()
      notify(run, 'start')
      later(run, runLimitMs, () => finish(run, 'failed', 'Prediction timed out after 30 minutes'))
      void process(run)
    })
  }

  async function process(run: Run): Promise<void> {
    const { signal } = run.work
    try {
      const files = await fetchFiles(run.input, signal)
      const report = gate(run)
      const outputs = await work({ model: run.model, input: run.input, files }, report.at, signal)
      report.end()
      if (signal.aborted || isOver(run) || report.frozen()) return
      const stored = await Promise.all(outputs.map(output => store(run, output)))
      later(run, uploadMs, () => {
        run.outputs = stored
        finish(run, 'succeeded')
      })
    } catch (error) {
      // An aborted work was ended by the life itself; only the model's own errors end it here.
      if (!signal.aborted) finish(run, 'failed', error instanceof Error ? error.message : String(error))
    }
  }

  function gate(run: Run): Gate {
    return createGate(run, failures, {
      isOver: () => isOver(run),
      write(fraction, line) {
        run.logs += `${line === undefined ? '' : `${line}\n`}${bar(fraction, clock.now() - (run.startedAt ?? 0))}\n`
        notify(run, 'logs')
      },
      fail: words => finish(run, 'failed', words),
      restart() {
        run.work.abort(new Error('the worker was replaced'))
        run.work = new AbortController()
        void process(run)
      },
    })
  }

  return {
    begin,
    stop,
    cancel(run) {
      if (!isOver(run) && !run.faults.has('cancel-ignored')) later(run, cancelMs, () => finish(run, 'canceled'))
    },
  }
}

async function store(run: Run, output: WorkOutput): Promise<WorkOutput> {
  if (!run.faults.has('output-corrupt')) return output
  return { ...output, body: await corrupt(output.body, run.faults.text('output-corrupt')) }
}

/** A progress bar in the form that tqdm prints and the vendor's client reads. */
function bar(fraction: number, elapsedMs: number): string {
  const percent = Math.floor(Math.min(1, Math.max(0, fraction)) * 100)
  const filled = '█'.repeat(Math.floor(percent / 10)).padEnd(10)
  const seconds = Math.floor(elapsedMs / 1000)
  const clock = `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
  return `${String(percent).padStart(3)}%|${filled}| ${percent}/100 [${clock}]`
}
