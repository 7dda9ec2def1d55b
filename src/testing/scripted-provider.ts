import type { Clock } from '../core/clock.ts'
import { createFailure, refuse } from '../core/failure.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { Observation } from '../core/observation.ts'
import type { Io, Job, Provider } from '../providers/contract.ts'

/** What one run does, in milliseconds of the injected clock after its start. */
export interface Script {
  readonly bootAt: number
  readonly runAt: number
  /** When it ends; Infinity never. */
  readonly endAt: number
  /** Progress stands still from this fraction on. */
  readonly stallAt?: number
  readonly end: 'succeeded' | 'failed' | 'empty' | 'gone'
  /** What becomes of the answer to the start. */
  readonly start?: 'rejected' | 'lost' | 'lost-before'
  /** Cancel is answered but does nothing. */
  readonly ignoresCancel?: boolean
  /** The text that is delivered. */
  readonly output?: string
}

export interface ScriptedRun {
  readonly attemptId: string
  readonly script: Script
  readonly startedAt: number
  canceledAt: number | null
}

export interface ScriptedProvider extends Provider {
  /** Every run that was begun, in order. */
  readonly runs: readonly ScriptedRun[]
}

export interface ScriptedOptions {
  readonly clock: Clock
  /** Chosen once for each start. Default: runs at once and succeeds after a second. */
  readonly script?: (job: Job) => Script
  /** Called before each call; throws to make the call fail, waits to make it slow. */
  readonly before?: (verb: 'start' | 'poll' | 'find' | 'cancel', io: Io) => Promise<void>
  readonly pricePerSecond?: number
  readonly canFind?: boolean
  readonly pollMs?: number
}

/** Runs for one second and delivers the word `done`. */
export const plainScript: Script = { bootAt: 0, runAt: 0, endAt: 1_000, end: 'succeeded' }

/** A provider whose runs follow a script on the injected clock: for tests of whoever drives providers. */
export function createScriptedProvider(options: ScriptedOptions): ScriptedProvider {
  const { clock, pricePerSecond = 0.001 } = options
  const runs: ScriptedRun[] = []
  const byId = new Map<string, ScriptedRun>()

  function observe(run: ScriptedRun): Observation {
    const { script } = run
    const age = clock.now() - run.startedAt
    const endsAt = run.canceledAt === null ? script.endAt : Math.min(script.endAt, run.canceledAt - run.startedAt)
    if (age >= endsAt) return ended(run, endsAt)
    if (age < script.bootAt) return { status: 'queued', word: 'waiting' }
    if (age < script.runAt) return { status: 'booting', word: 'booting' }
    const span = Number.isFinite(script.endAt) ? script.endAt - script.runAt : 60_000
    const fraction = Math.min(script.stallAt ?? 0.99, (age - script.runAt) / span)
    return { status: 'running', word: 'running', progress: { stage: null, fraction: Math.round(fraction * 100) / 100 } }
  }

  function ended({ script, canceledAt }: ScriptedRun, endsAt: number): Observation {
    const metrics = { runMs: Math.max(0, endsAt - script.runAt) }
    if (canceledAt !== null && endsAt < script.endAt) return { status: 'canceled', word: 'canceled', metrics }
    switch (script.end) {
      case 'succeeded':
        return {
          status: 'succeeded',
          word: 'succeeded',
          metrics,
          outputs: [
            { kind: 'data', uri: `data:text/plain;base64,${Buffer.from(script.output ?? 'done').toString('base64')}` },
          ],
        }
      case 'empty':
        return { status: 'succeeded', word: 'succeeded', metrics, outputs: [] }
      case 'failed':
        return {
          status: 'failed',
          word: 'failed',
          metrics,
          failure: createFailure('model_error', 'The script says so.'),
        }
      case 'gone':
        return { status: 'gone', word: '404' }
    }
  }

  function runOf(handle: Json): ScriptedRun {
    const run = byId.get(String((handle as JsonObject).id))
    return run ?? refuse('provider_error', 'No such run.')
  }

  const provider: ScriptedProvider = {
    runs,
    kind: 'scripted',
    limits: {
      inputForms: ['data'],
      outputForms: ['data'],
      inlineOutputBytes: null,
      resultKeptMs: 3_600_000,
      heldStart: false,
      startTimeoutMs: 5_000,
      callTimeoutMs: 5_000,
      pollMs: options.pollMs ?? 1_000,
      thisHostOnly: false,
    },
    trustedOrigins: [],
    parseTarget: () => ({}),
    async start(job, io) {
      await options.before?.('start', io)
      const script = options.script?.(job) ?? plainScript
      if (script.start === 'rejected')
        return { kind: 'rejected', failure: createFailure('no_capacity', 'The script refuses the start.') }
      const id = job.marker.attemptId
      if (script.start !== 'lost-before') {
        const run: ScriptedRun = { attemptId: id, script, startedAt: clock.now(), canceledAt: null }
        runs.push(run)
        byId.set(id, run)
      }
      if (script.start === 'lost' || script.start === 'lost-before')
        return { kind: 'unknown', failure: createFailure('start_unknown', 'The script loses the answer.') }
      return { kind: 'accepted', handle: { id } }
    },
    async poll(handle, io) {
      await options.before?.('poll', io)
      return observe(runOf(handle))
    },
    async cancel(handle, io) {
      await options.before?.('cancel', io)
      const run = runOf(handle)
      if (!run.script.ignoresCancel) run.canceledAt ??= clock.now()
      return 'requested'
    },
    cost: observation =>
      observation.metrics?.runMs === undefined
        ? null
        : { amount: (observation.metrics.runMs / 1000) * pricePerSecond, currency: 'USD', estimated: false },
    pricePerSecond: () => pricePerSecond,
  }
  if (options.canFind === false) return provider
  return {
    ...provider,
    async find(marker, _since, io) {
      await options.before?.('find', io)
      const run = byId.get(marker.attemptId)
      return run === undefined ? [] : [{ handle: { id: run.attemptId } }]
    },
  }
}

/** Whether a run still works (and costs) at this moment. */
export function isRunning(run: ScriptedRun, now: number): boolean {
  const age = now - run.startedAt
  return age < run.script.endAt && (run.canceledAt === null || now < run.canceledAt)
}
