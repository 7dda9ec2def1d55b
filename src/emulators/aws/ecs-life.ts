import { z } from 'zod'
import type { FaultName } from '../catalogue.ts'
import type { WorkTask } from '../contract.ts'
import { createGate } from '../gate.ts'
import type { Task, TaskEnd } from './ecs-task.ts'
import { createKit, type Kit } from './kit.ts'
import type { ServiceOptions } from './service.ts'

/** From acceptance to a place on a machine, and from the container's end to the task's. */
const placingMs = 1000
const cleaningMs = 1000
/** What a container takes to obey SIGTERM; after 30 s it would be killed. */
const stoppingMs = 2000

export interface EcsLife {
  begin(task: Task): void
  stop(task: Task): void
  /** Everything of a task ends without a trace. */
  close(task: Task): void
}

/** Faults that end a run, in words that its kit reports. */
const reported: readonly (readonly [FaultName, string])[] = [
  ['cuda-oom', 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB.'],
  ['cuda-poisoned', 'RuntimeError: CUDA error: an illegal memory access was encountered'],
  ['model-error', 'ValueError: Input image must have 3 channels, got 4'],
  ['upload-error', 'could not upload the output: 403'],
]
/** Faults that end it from outside: the kit writes nothing any more. */
const silent: { readonly [name in 'oom' | 'interrupted' | 'host-vanished']: TaskEnd } = {
  oom: {
    stopCode: 'EssentialContainerExited',
    stoppedReason: 'Essential container in task exited',
    exitCode: 137,
    containerReason: 'OutOfMemoryError: Container killed due to memory usage',
  },
  interrupted: { stopCode: 'SpotInterruption', stoppedReason: 'Your Spot Task was interrupted.', exitCode: 143 },
  'host-vanished': { stopCode: 'EssentialContainerExited', stoppedReason: 'Host EC2 (instance i-0abc) terminated.' },
}
const failures: readonly (readonly [FaultName, string])[] = [
  ...reported,
  ...Object.keys(silent).map(name => [name as FaultName, name] as const),
]
/** Faults that keep a task from starting. */
const unstartable: readonly (readonly [FaultName, string])[] = [
  [
    'image-missing',
    'CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref sharp:latest: not found',
  ],
  ['boot-timeout', 'Timeout waiting for network interface provisioning to complete.'],
]

const environmentSchema = z.union([z.object({ SUREFOOT_INPUT: z.string() }), z.object({ SUREFOOT_INPUT_URL: z.url() })])

/**
 * The life of a task: PROVISIONING until it has a place, PENDING while the image comes, RUNNING while its kit works, then
 * DEPROVISIONING and STOPPED. Source: the guide's page on task states.
 */
export function createEcsLife(options: ServiceOptions): EcsLife {
  const { clock, work, bootMs, networkOf, fetchFilesOf } = options

  function later(task: Task, ms: number, then: () => void): void {
    const cancel = clock.after(ms, () => {
      task.timers.delete(cancel)
      then()
    })
    task.timers.add(cancel)
  }

  function finish(task: Task, end: TaskEnd, afterMs: number): void {
    if (task.end !== null) return
    for (const cancel of task.timers) cancel()
    task.timers.clear()
    task.end = end
    task.desiredStatus = 'STOPPED'
    task.lastStatus = end.stopCode === 'UserInitiated' ? 'STOPPING' : 'DEPROVISIONING'
    task.stop.abort(new Error('the task has ended'))
    later(task, afterMs, () => {
      task.lastStatus = 'STOPPED'
      task.stoppedAt = clock.now()
    })
  }

  function begin(task: Task): void {
    if (task.faults.has('queue-forever')) return
    later(task, placingMs, () => {
      task.lastStatus = 'PENDING'
      task.pullStartedAt = clock.now()
      const stuck = unstartable.find(([name]) => task.faults.has(name))
      if (stuck !== undefined) {
        const [name, stoppedReason] = stuck
        const wait = name === 'boot-timeout' ? task.faults.number(name) * 1000 : bootMs
        return later(task, wait, () => finish(task, { stopCode: 'TaskFailedToStart', stoppedReason }, 0))
      }
      if (task.faults.has('boot-forever')) return
      later(task, task.faults.has('boot-slow') ? task.faults.number('boot-slow') * 1000 : bootMs, () => run(task))
    })
  }

  function run(task: Task): void {
    task.lastStatus = 'RUNNING'
    task.startedAt = clock.now()
    void process(task, new AbortController())
  }

  async function process(task: Task, container: AbortController): Promise<void> {
    const signal = AbortSignal.any([task.stop.signal, container.signal])
    const fetch = networkOf(task)
    let kit: Kit | null = null
    try {
      const input = await readInput(task.environment, fetch, signal)
      const { faults, taskDefinition } = task
      kit = createKit({
        ...{ input, id: task.arn, model: `ecs/${taskDefinition}`, work, faults, fetch, signal, now: clock.now },
        fetchFiles: fetchFilesOf(fetch),
      })
      const gate = createGate(task, failures, {
        isOver: () => task.end !== null || signal.aborted,
        write: kit.report,
        fail: words => void fail(task, kit, words),
        restart() {
          // Its own restart policy: the same task, the container begins again.
          container.abort(new Error('the container restarts'))
          void process(task, new AbortController())
        },
      })
      await kit.run(gate)
      if (signal.aborted || gate.frozen()) return
      finish(task, exited(0), cleaningMs)
    } catch (error) {
      if (!signal.aborted) await fail(task, kit, error instanceof Error ? error.message : String(error))
    }
  }

  async function fail(task: Task, kit: Kit | null, words: string): Promise<void> {
    if (Object.hasOwn(silent, words)) return finish(task, silent[words as keyof typeof silent], cleaningMs)
    await kit?.fail(words)
    finish(task, exited(1), cleaningMs)
  }

  return {
    begin,
    stop(task) {
      if (task.faults.has('cancel-ignored') || task.end !== null) return
      const ran = task.startedAt !== null
      const end = { stopCode: 'UserInitiated', stoppedReason: 'Cancelled by Surefoot.' } as const
      finish(task, { ...end, ...(ran ? { exitCode: 143 } : {}) }, ran ? stoppingMs : 0)
    },
    close(task) {
      for (const cancel of task.timers) cancel()
      task.timers.clear()
      task.stop.abort(new Error('the emulator was closed'))
    },
  }
}

function exited(exitCode: number): TaskEnd {
  return { stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited', exitCode }
}

async function readInput(
  environment: Task['environment'],
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<WorkTask['input']> {
  const parsed = environmentSchema.parse(environment)
  const text =
    'SUREFOOT_INPUT' in parsed
      ? parsed.SUREFOOT_INPUT
      : await (await fetch(parsed.SUREFOOT_INPUT_URL, { signal })).text()
  return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
}
