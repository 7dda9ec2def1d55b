import type { Clock } from '../../core/clock.ts'
import type { FaultName } from '../catalogue.ts'
import { pause } from '../connection.ts'
import type { Work, WorkTask } from '../contract.ts'
import { createGate, type Gate } from '../gate.ts'
import { type Kit, kitOf, wordsOf } from '../kit.ts'
import { type Call, isOver, resultStatus } from './call.ts'
import type { Pool } from './pool.ts'
import { type Answers, returnValue } from './results.ts'

/** From the function's return to the call's end. */
const postMs = 300

export interface LifeOptions {
  readonly clock: Clock
  readonly work: Work
  readonly answers: Answers
  /** The functions' own `timeout=`. */
  readonly timeoutMs: number
  readonly send: typeof globalThis.fetch
  readonly closed: AbortSignal
  readonly poolOf: (functionName: string) => Pool
  /** Fetches the input's files; fails as the function would. */
  readonly fetchFiles: (input: WorkTask['input'], signal: AbortSignal) => Promise<WorkTask['files']>
}

export interface Life {
  begin(call: Call): void
  /** A container took the call. */
  run(call: Call, containerId: string): void
  cancel(call: Call, terminateContainers: boolean): void
  /** Stops everything of a call without ending it. */
  stop(call: Call): void
}

/** Faults that end a call: the result's status and the exception's text. */
const ends: readonly (readonly [FaultName, number, string])[] = [
  ['oom', resultStatus.failure, 'MemoryError()'],
  ['cuda-oom', resultStatus.failure, "OutOfMemoryError('CUDA out of memory. Tried to allocate 2.50 GiB.')"],
  ['cuda-poisoned', resultStatus.failure, "RuntimeError('CUDA error: an illegal memory access was encountered')"],
  ['model-error', resultStatus.failure, "ValueError('Input image must have 3 channels, got 4')"],
  [
    'upload-error',
    resultStatus.failure,
    "ClientError('An error occurred (AccessDenied) when calling the PutObject operation: Access Denied')",
  ],
  ['interrupted', resultStatus.evicted, ''],
  ['input-lost', resultStatus.internalFailure, 'Input was lost'],
]

/** The exception as Modal shows it: its `repr`. */
function raised(kit: Kit | null, exception: string): string {
  const inner = /^\w+\((?:'(.*)')?\)$/s.exec(exception)
  return kit === null ? exception : `KitError("${wordsOf(kit, inner?.[1] ?? exception)}")`
}

/** The gate tells a fault by its name. */
const failures = ends.map(([name]) => [name, name] as const)

/**
 * The life of a call: it waits until a container takes it, works, and ends with one result. A container that is preempted
 * or dies gives the input back, which begins again in another one, whatever the function's `retries=` says.
 */
export function createLife(options: LifeOptions): Life {
  const { clock, work, answers, timeoutMs, send, closed, poolOf, fetchFiles } = options

  function later(call: Call, ms: number, then: () => void): void {
    const cancel = clock.after(ms, () => {
      call.timers.delete(cancel)
      then()
    })
    call.timers.add(cancel)
  }

  function stop(call: Call): void {
    for (const cancel of call.timers) cancel()
    call.timers.clear()
    call.execution?.stop.abort(new Error('the call has ended'))
  }

  function end(call: Call, status: number, exception = '', how: 'free' | 'kill' = 'free'): void {
    if (isOver(call)) return
    call.status = call.faults.has('weird-status') ? 99 : status
    call.exception = exception
    call.endedAt = clock.now()
    call.isCleared = call.faults.has('data-removed')
    const { execution } = call
    stop(call)
    call.execution = null
    poolOf(call.functionName).remove(call)
    if (execution !== null) poolOf(call.functionName)[how](execution.containerId)
    for (const wake of call.waiters) wake()
  }

  function begin(call: Call): void {
    if (call.faults.has('boot-timeout'))
      later(call, call.faults.number('boot-timeout') * 1000, () =>
        end(call, resultStatus.initFailure, 'Container startup timed out', 'kill'),
      )
    poolOf(call.functionName).add(call)
  }

  function run(call: Call, containerId: string): void {
    const execution = { containerId, stop: new AbortController() }
    call.execution = execution
    call.startedAt = clock.now()
    later(call, timeoutMs, () => {
      // Another container may have it since; its time counts from then.
      if (call.execution !== execution) return
      const words = `Task's current input ${call.inputId} hit its timeout of ${Math.round(timeoutMs / 1000)}s`
      end(call, resultStatus.timeout, words, 'kill')
    })
    void process(call, execution)
  }

  async function process(call: Call, execution: NonNullable<Call['execution']>): Promise<void> {
    const { signal } = execution.stop
    const kit = kitOf(call, send, closed)
    const gate = gateOf(call, execution, kit)
    try {
      kit?.hello()
      const files = await fetchFiles(call.input, signal)
      const outputs = await work({ model: call.functionName, input: call.input, files }, gate.at, signal)
      gate.end()
      if (signal.aborted || gate.frozen()) return
      call.value = await returnValue(call, outputs, kit, answers, signal)
      await pause(clock, postMs, signal)
      end(call, resultStatus.success)
    } catch (error) {
      // What was stopped from outside has ended, or begins again; only the function's own errors end it here.
      if (signal.aborted) return
      const words = `RuntimeError('${error instanceof Error ? error.message : String(error)}')`
      end(call, resultStatus.failure, raised(kit, words))
    }
  }

  function gateOf(call: Call, execution: NonNullable<Call['execution']>, kit: Kit | null): Gate {
    return createGate(call, failures, {
      isOver: () => isOver(call) || execution.stop.signal.aborted,
      // Modal shows no progress.
      write: () => {},
      fail(fault) {
        const [, status = resultStatus.failure, exception] = ends.find(([name]) => name === fault) ?? []
        end(call, status, status === resultStatus.failure ? raised(kit, exception ?? '') : exception)
      },
      restart() {
        execution.stop.abort(new Error('the container is no more'))
        call.execution = null
        call.startedAt = null
        call.restarts += 1
        poolOf(call.functionName).kill(execution.containerId)
        poolOf(call.functionName).add(call)
      },
    })
  }

  return {
    begin,
    run,
    stop,
    cancel(call, terminateContainers) {
      if (call.faults.has('cancel-ignored')) return
      end(call, resultStatus.terminated, 'Input was cancelled', terminateContainers ? 'kill' : 'free')
    },
  }
}
