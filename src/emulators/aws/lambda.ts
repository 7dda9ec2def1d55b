import { z } from 'zod'
import type { FaultName } from '../catalogue.ts'
import { createGate } from '../gate.ts'
import { type Faulty, loseCreate, once, refuseCreate } from '../misbehave.ts'
import { problem, restWording } from './answers.ts'
import { createKit, folderOf, type Kit, parse, wholeInput } from './kit.ts'
import type { Service, ServiceOptions } from './service.ts'

/** The vendor's limits. Source: the quotas page and the SDK's text on `Invoke`. */
const mostEventBytes = 1024 * 1024
const longestRunMs = 15 * 60_000
/** A crashed invocation is repeated after so long, twice. */
const retryMs: readonly number[] = [60_000, 120_000]
/** Whatever an invocation does, it is billed so long. */
const leastBilledMs = 1
/** The second delivery of an event that is delivered twice. */
const againMs = 2_000

/** One event; several invocations may come of it. */
interface Event extends Faulty {
  readonly id: string
  readonly input: { readonly [field: string]: unknown }
  readonly function: string
  readonly folder: string | null
  readonly origin: string
  startedAt: number | null
  /** Invocations that have not ended. */
  readonly invocations: Set<Invocation>
  waiting: boolean
  billedMs: number
  readonly timers: Set<() => void>
}

interface Invocation {
  readonly stop: AbortController
  readonly beganAt: number
}

const failures: readonly (readonly [FaultName, string])[] = [
  ['oom', 'crash'],
  ['cuda-oom', 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB.'],
  ['cuda-poisoned', 'RuntimeError: CUDA error: an illegal memory access was encountered'],
  ['model-error', 'ValueError: Input image must have 3 channels, got 4'],
  ['upload-error', 'could not upload the output: 403'],
]

export interface LambdaService extends Service {
  invoke(name: string, request: Request, origin: string, signals: readonly AbortSignal[]): Promise<Response>
}

/**
 * Asynchronous invocations of Lambda: every function exists and is a kit of ours. An event is taken and nothing more is told;
 * a crashed invocation is repeated, and an event may be delivered twice. Source: see `docs/providers/aws.md`.
 */
export function createLambdaService(options: ServiceOptions): LambdaService {
  const { clock, work, bootMs, newId, roll, networkOf, fetchFilesOf } = options
  const events = new Map<string, Event>()

  function later(event: Event, ms: number, then: () => void): () => void {
    const cancel = clock.after(ms, () => {
      event.timers.delete(cancel)
      then()
    })
    event.timers.add(cancel)
    return cancel
  }

  function begin(event: Event): void {
    const { faults } = event
    if (faults.has('queue-forever') || faults.has('boot-forever')) return
    later(event, faults.has('boot-slow') ? faults.number('boot-slow') * 1000 : bootMs, () => {
      event.waiting = false
      event.startedAt = clock.now()
      void run(event, 0)
      if (once(event, 'run-twice')) later(event, againMs, () => void run(event, retryMs.length))
    })
  }

  async function run(event: Event, tries: number): Promise<void> {
    const invocation: Invocation = { stop: new AbortController(), beganAt: clock.now() }
    event.invocations.add(invocation)
    const { signal } = invocation.stop
    const stopTimer = later(event, longestRunMs, () => crash(event, invocation, tries))
    const fetch = networkOf(event)
    let kit: Kit | null = null
    try {
      const input = await wholeInput(event.input, fetch, signal)
      const { id, faults } = event
      kit = createKit({
        ...{ input, id, model: `lambda/${event.function}`, work, faults, fetch, signal, now: clock.now },
        fetchFiles: fetchFilesOf(fetch),
      })
      if (!(await kit.claim())) return end(event, invocation)
      const gate = createGate(event, failures, {
        isOver: () => signal.aborted,
        write: kit.report,
        fail: words =>
          words === 'crash'
            ? crash(event, invocation, tries)
            : void kit?.fail(words).then(() => end(event, invocation)),
        restart: () => {},
      })
      await kit.run(gate)
      if (!gate.frozen()) end(event, invocation)
    } catch (error) {
      if (signal.aborted) return
      await kit?.fail(error instanceof Error ? error.message : String(error))
      end(event, invocation)
    } finally {
      if (!event.invocations.has(invocation)) {
        event.timers.delete(stopTimer)
        stopTimer()
      }
    }
  }

  function end(event: Event, invocation: Invocation): void {
    if (!event.invocations.delete(invocation)) return
    event.billedMs += Math.max(leastBilledMs, clock.now() - invocation.beganAt)
    invocation.stop.abort(new Error('the invocation has ended'))
  }

  /** The runtime is gone in the middle: nobody reports, and the event is delivered again. */
  function crash(event: Event, invocation: Invocation, tries: number): void {
    end(event, invocation)
    const wait = retryMs[tries]
    if (wait !== undefined) later(event, wait, () => void run(event, tries + 1))
  }

  return {
    async invoke(name, request, origin, signals) {
      const text = await request.text()
      if (request.headers.get('x-amz-invocation-type') !== 'Event')
        return problem('InvalidParameterValueException', 'This emulator takes asynchronous invocations only.')
      if (Buffer.byteLength(text) > mostEventBytes) return restWording.refusal(413)
      const input = z.record(z.string(), z.unknown()).safeParse(parse(text))
      if (!input.success) return problem('InvalidRequestContentException', 'Could not parse request body into json.')
      const faults = roll()
      const refusal = faults.has('create-400')
        ? restWording.refusal(400)
        : refuseCreate(faults, clock.now(), restWording)
      if (refusal !== null) return refusal
      const event: Event = {
        ...{ id: newId(), input: input.data, function: name, folder: folderOf(input.data), origin, faults },
        ...{ shown: new Map(), forgotten: false, startedAt: null, waiting: true, billedMs: 0 },
        invocations: new Set(),
        timers: new Set(),
      }
      events.set(event.id, event)
      begin(event)
      const lost = await loseCreate(faults, signals, restWording)
      return lost ?? new Response(null, { status: 202, headers: { 'x-amzn-requestid': event.id } })
    },
    runAt: path => [...events.values()].find(({ folder }) => folder !== null && path.startsWith(folder)),
    get submits() {
      return events.size
    },
    // An event that was never delivered costs nothing, and nobody can take it back.
    get running() {
      return [...events.values()].filter(({ invocations }) => invocations.size > 0).length
    },
    ledger: () =>
      [...events.values()].map(({ id, input, waiting, invocations, billedMs }) => ({
        id,
        input,
        label: null,
        isRunning: invocations.size > 0,
        status: waiting ? 'waiting' : invocations.size > 0 ? 'running' : 'ended',
        billedMs: [...invocations].reduce((sum, { beganAt }) => sum + clock.now() - beganAt, billedMs),
      })),
    close() {
      for (const event of events.values()) {
        for (const cancel of event.timers) cancel()
        for (const { stop } of event.invocations) stop.abort(new Error('the emulator was closed'))
      }
    },
  }
}
