import type { Clock } from '../../core/clock.ts'
import type { ActiveFaults } from '../faults.ts'

export type InstanceState = 'asleep' | 'waking' | 'awake'

export interface InstanceOptions {
  readonly clock: Clock
  /** From the waking request to an instance that can be reached. */
  readonly wakeMs: number
  /** Without public traffic for this long it sleeps. */
  readonly idleMs: number
  /** Begins awake. */
  readonly awake: boolean
  /** The faults of one waking. */
  readonly roll: () => ActiveFaults
  /** A container starts. */
  readonly started: () => void
  /** It is gone, with what ran in it. */
  readonly stopped: () => void
}

/** The one instance of a service that scales to zero. Only public traffic wakes it and keeps it awake. */
export interface Instance {
  readonly state: () => InstanceState
  /** A request came: wakes it, and keeps it awake until the answer (`done`) and for the idle time after that. */
  enter(): { done(): void }
  /** Calls `then` once it is awake; gives what takes that back. */
  whenAwake(then: () => void): () => void
  /** Puts it to sleep whatever it does. */
  sleep(): void
  close(): void
}

export function createInstance(options: InstanceOptions): Instance {
  const { clock, wakeMs, idleMs, roll, started, stopped } = options
  let state: InstanceState = options.awake ? 'awake' : 'asleep'
  let open = 0
  let cancelTimer = () => {}
  const waiters = new Set<() => void>()

  function wake(): void {
    state = 'waking'
    const faults = roll()
    if (faults.has('boot-forever')) return
    const wait = faults.has('boot-slow') ? faults.number('boot-slow') * 1000 : wakeMs
    cancelTimer = clock.after(wait, () => {
      state = 'awake'
      started()
      rest()
      for (const then of [...waiters]) then()
      waiters.clear()
    })
  }

  function sleep(): void {
    cancelTimer()
    state = 'asleep'
    stopped()
  }

  function rest(): void {
    if (state !== 'awake' || open > 0) return
    cancelTimer()
    cancelTimer = clock.after(idleMs, sleep)
  }
  rest()

  return {
    state: () => state,
    sleep,
    enter() {
      open += 1
      if (state === 'asleep') wake()
      if (state === 'awake') cancelTimer()
      return {
        done() {
          open -= 1
          rest()
        },
      }
    },
    whenAwake(then) {
      waiters.add(then)
      return () => void waiters.delete(then)
    },
    close: () => cancelTimer(),
  }
}
