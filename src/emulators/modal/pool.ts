import type { Clock } from '../../core/clock.ts'
import type { Call } from './call.ts'

/** A container that is billed from its start to its stop, whether or not it works. */
interface Container {
  readonly id: string
  state: 'starting' | 'idle' | 'busy'
  /** The call that it was started for, then the one that it worked on last: that one pays. */
  call: Call
  paidUntil: number
  cancelTimer: () => void
}

export interface PoolOptions {
  readonly clock: Clock
  /** Cold start. */
  readonly bootMs: number
  /** An idle container stops after this long. */
  readonly idleMs: number
  readonly maxContainers: number
  readonly newContainerId: () => string
  /** A container took the call. */
  readonly run: (call: Call, containerId: string) => void
}

/** The queue of one function and the containers that it scales from zero. */
export interface Pool {
  add(call: Call): void
  /** Takes a call out of the queue, with the container that only it kept. */
  remove(call: Call): void
  /** The container's call is over: it takes the next one, or idles and stops. */
  free(containerId: string): void
  /** The container is no more. */
  kill(containerId: string): void
  readonly waiting: number
  readonly containers: number
  /** Writes the time that is not billed yet to its calls. */
  charge(): void
  close(): void
}

/** A container that crashed as it started is started again after this long; the documents speak of a growing pause. */
const crashPauseMs = 10_000

/** First come, first served; one input per container. */
export function createPool({ clock, bootMs, idleMs, maxContainers, newContainerId, run }: PoolOptions): Pool {
  const queue: Call[] = []
  const containers = new Map<string, Container>()

  function dispatch(): void {
    for (const call of queue.filter(each => !isStuck(each))) {
      const idle = [...containers.values()].find(({ state }) => state === 'idle')
      if (idle !== undefined) take(idle, call)
    }
    const coming = [...containers.values()].filter(({ state, call }) => state === 'starting' && !isStuck(call)).length
    const waiting = queue.filter(call => !isStuck(call)).slice(coming)
    const stuck = queue.filter(call => isStuck(call) && ![...containers.values()].some(each => each.call === call))
    for (const call of [...waiting, ...stuck])
      if (containers.size < maxContainers && !call.faults.has('queue-forever')) begin(call)
  }

  function begin(call: Call): void {
    const container: Container = {
      id: newContainerId(),
      state: 'starting',
      call,
      paidUntil: clock.now(),
      cancelTimer: () => {},
    }
    containers.set(container.id, container)
    const { faults } = call
    if (faults.has('boot-forever') || faults.has('boot-timeout')) return
    const wait = faults.has('boot-slow') ? faults.number('boot-slow') * 1000 : bootMs
    container.cancelTimer = clock.after(wait, () => {
      if (faults.has('crash-loop')) return crash(container)
      container.state = 'idle'
      dispatch()
      rest(container)
    })
  }

  function crash(container: Container): void {
    container.cancelTimer = clock.after(crashPauseMs, () => kill(container.id))
  }

  function take(container: Container, call: Call): void {
    container.cancelTimer()
    queue.splice(queue.indexOf(call), 1)
    charge(container)
    container.state = 'busy'
    container.call = call
    run(call, container.id)
  }

  function rest(container: Container): void {
    if (container.state === 'idle') container.cancelTimer = clock.after(idleMs, () => kill(container.id))
  }

  function kill(containerId: string): void {
    const container = containers.get(containerId)
    if (container === undefined) return
    container.cancelTimer()
    charge(container)
    containers.delete(containerId)
    dispatch()
  }

  function charge(container: Container): void {
    const now = clock.now()
    container.call.billedMs += now - container.paidUntil
    container.paidUntil = now
  }

  return {
    kill,
    add(call) {
      queue.push(call)
      dispatch()
    },
    remove(call) {
      const at = queue.indexOf(call)
      if (at >= 0) queue.splice(at, 1)
      if (isStuck(call)) for (const container of containers.values()) if (container.call === call) kill(container.id)
    },
    free(containerId) {
      const container = containers.get(containerId)
      if (container === undefined) return
      charge(container)
      container.state = 'idle'
      dispatch()
      rest(container)
    },
    get waiting() {
      return queue.length
    },
    get containers() {
      return containers.size
    },
    charge() {
      for (const container of containers.values()) charge(container)
    },
    close() {
      for (const container of containers.values()) container.cancelTimer()
    },
  }
}

/** No container ever takes it. */
function isStuck({ faults }: Call): boolean {
  return (['queue-forever', 'boot-forever', 'boot-timeout', 'crash-loop'] as const).some(name => faults.has(name))
}
