import type { Clock } from '../../core/clock.ts'
import type { FaultName } from '../catalogue.ts'
import { pause } from '../connection.ts'
import type { Work, WorkTask } from '../contract.ts'
import { createGate, type Gate } from '../gate.ts'
import { type Kit, kitOf, wordsOf } from '../kit.ts'
import { spoil, toDataUri } from '../spoil.ts'
import { type CogVersion, type EventName, isOver, type Run, type RunStatus } from './run.ts'

export interface LifeOptions {
  readonly clock: Clock
  readonly version: CogVersion
  readonly work: Work
  /** `bucket`: the server has an `--upload-url`. */
  readonly answers: 'bucket' | 'inline'
  readonly send: typeof globalThis.fetch
  readonly closed: AbortSignal
  /** Fetches the input's files; fails as the worker would. */
  readonly fetchFiles: (input: WorkTask['input'], signal: AbortSignal) => Promise<WorkTask['files']>
  readonly notify: (run: Run, event: EventName, delivered?: () => void) => void
  /** The worker process is gone. */
  readonly crashed: () => void
  /** The container is gone, with everything in it, and another one starts. */
  readonly replaced: () => void
}

export interface Life {
  begin(run: Run): void
  cancel(run: Run): void
  /** The run is nowhere any more, and nobody is told. */
  lose(run: Run): void
}

const crash = 'Worker crashed'
/** How Python's server says it. */
const crashInPython = 'Prediction failed for an unknown reason. It might have run out of memory? (exitcode -11)'
/** From the model's return to the end of the run: outputs are encoded or uploaded. */
const wrapUpMs = 300

/** Faults that end a run as failed, in the words of the model or of the server. */
const failures: readonly (readonly [FaultName, string])[] = [
  ['worker-crash', crash],
  ['oom', 'Prediction failed: Prediction failed: MemoryError: cannot allocate 2147483648 bytes'],
  [
    'cuda-oom',
    'Prediction failed: Prediction failed: OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.5 GiB',
  ],
  [
    'cuda-poisoned',
    'Prediction failed: Prediction failed: AcceleratorError: CUDA error: an illegal memory access was encountered',
  ],
  ['model-error', 'Prediction failed: Prediction failed: ValueError: Input image must have 3 channels, got 4'],
  ['upload-error', 'Failed to upload output: upload returned status 403 Forbidden'],
]

/** A model's exception as the server tells it; the server's own words stay what they are. */
function raised(kit: Kit | null, words: string): string {
  const begin = 'Prediction failed: Prediction failed: '
  return kit === null || words === crash ? words : `${begin}KitError: ${wordsOf(kit, words.replace(begin, ''))}`
}

/** The life of a prediction: it begins as soon as it has its place, and has its place until it has ended. */
export function createLife(options: LifeOptions): Life {
  const { clock, version, work, answers, send, closed, fetchFiles, notify, crashed, replaced } = options

  function finish(run: Run, status: RunStatus, more: { output?: unknown; error?: string } = {}): void {
    if (isOver(run)) return
    run.status = status
    run.output = more.output
    run.error = more.error ?? null
    end(run)
    // Python's server stays busy until its last webhook is delivered, or given up.
    const free = () => {
      run.isInFlight = false
    }
    if (version === 'coglet') free()
    notify(run, 'completed', free)
  }

  function end(run: Run): void {
    run.completedAt = clock.now()
    run.stop.abort(new Error('the run has ended'))
    for (const wake of run.waiters) wake()
  }

  async function process(run: Run): Promise<void> {
    const { signal } = run.stop
    const kit = kitOf(run, send, closed)
    const gate = gateOf(run, kit)
    run.status = 'processing'
    notify(run, 'start')
    try {
      kit?.hello()
      const files = await fetchFiles(run.input, signal)
      const outputs = await work({ model: 'cog/model', input: run.input, files }, gate.at, signal)
      gate.end()
      if (signal.aborted || gate.frozen()) return
      const output = await outputOf(run, outputs, kit)
      await pause(clock, wrapUpMs, signal)
      finish(run, 'succeeded', { output })
    } catch (error) {
      // A run that was stopped from outside has ended already.
      const words = error instanceof Error ? error.message : String(error)
      if (!signal.aborted) finish(run, 'failed', { error: raised(kit, words) })
    }
  }

  async function outputOf(run: Run, made: Awaited<ReturnType<Work>>, kit: Kit | null): Promise<unknown> {
    const { faults, stop } = run
    const [first, ...rest] = await spoil(faults, made, kit === null && answers === 'bucket')
    if (first === undefined) return undefined
    if (kit !== null) return JSON.stringify(await kit.upload(first, stop.signal))
    // A failed upload of servers up to 0.23.0 looks like this, too.
    if (faults.has('empty-output')) return { null: null, object: {}, list: [] }[faults.text('empty-output')]
    const hasNoPlace = version === 'python' && answers === 'inline' && !run.held
    if (faults.has('output-path') || hasNoPlace) return `/tmp/tmp${run.id.slice(0, 8)}/${first.name}`
    run.files = [first, ...rest]
    const values = answers === 'bucket' ? run.files.map((_, index) => urlOf(run, index)) : await allDataUris(run)
    return values.length === 1 ? values[0] : values
  }

  function gateOf(run: Run, kit: Kit | null): Gate {
    return createGate(run, failures, {
      isOver: () => isOver(run),
      write(fraction, line) {
        if (run.forgotten) return replaced()
        run.logs += `${line === undefined ? '' : `${line}\n`}${bar(fraction)}\n`
        notify(run, 'logs')
      },
      fail(words) {
        finish(run, 'failed', { error: words === crash && version === 'python' ? crashInPython : raised(kit, words) })
        if (words === crash) crashed()
      },
      // No server begins a run again.
      restart() {},
    })
  }

  function lose(run: Run): void {
    run.isInFlight = false
    if (isOver(run)) return
    run.status = 'lost'
    end(run)
  }

  return {
    begin: run => void process(run),
    lose,
    cancel(run) {
      if (!run.faults.has('cancel-ignored')) finish(run, 'canceled')
    },
  }
}

function urlOf({ origin, id, files }: Run, index: number): string {
  return `${origin}/bucket/${encodeURIComponent(id)}/${index}/${encodeURIComponent(files[index]?.name ?? '')}`
}

function allDataUris({ files }: Run): Promise<string[]> {
  return Promise.all(files.map(toDataUri))
}

function bar(fraction: number): string {
  const percent = Math.floor(Math.min(1, Math.max(0, fraction)) * 100)
  return `${String(percent).padStart(3)}%|${'█'.repeat(Math.floor(percent / 10)).padEnd(10)}| ${percent}/100`
}
