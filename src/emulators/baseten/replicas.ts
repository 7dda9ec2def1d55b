import type { Clock } from '../../core/clock.ts'
import type { Run } from './run.ts'

/** A machine that is billed from its start to its stop, whether or not it works. */
interface Replica {
  state: 'starting' | 'idle' | 'busy'
  /** The request that it was started for, then the one that it worked on last: that one pays. Null: it was woken, and has worked on none. */
  run: Run | null
  paidUntil: number
  cancelTimer: () => void
}

export interface ReplicaOptions {
  readonly clock: Clock
  /** Cold start. */
  readonly bootMs: number
  /** An idle replica stops after this long. */
  readonly idleMs: number
  readonly maxReplicas: number
  /** A replica took the request. */
  readonly take: (run: Run) => void
}

/** The queue of one deployment and the replicas that it scales from zero; each works on one request at a time. */
export interface Replicas {
  add(run: Run): void
  /** The request's work is over; its replica takes the next one, or idles and stops. */
  free(run: Run): void
  /** The request's replica is no more; a waiting request leaves the queue, with the replica that only it kept. */
  remove(run: Run): void
  /** How many requests wait. */
  waiting(): number
  /** Starts a replica where there is none. */
  wake(): void
  /** How many replicas have started. */
  active(): number
  /** What replicas cost that were woken and had not worked yet, in milliseconds. */
  wokenMs(): number
  /** Writes the time that is not billed yet to its requests. */
  charge(): void
  close(): void
}

/** By priority, then first come, first served. */
export function createReplicas({ clock, bootMs, idleMs, maxReplicas, take }: ReplicaOptions): Replicas {
  const queue: Run[] = []
  const replicas = new Set<Replica>()
  let wokenMs = 0

  function dispatch(): void {
    for (const run of queue.toSorted((one, other) => one.priority - other.priority)) {
      if (isStuck(run)) continue
      const idle = [...replicas].find(({ state }) => state === 'idle')
      if (idle !== undefined) begin(idle, run)
    }
    const coming = [...replicas].filter(
      ({ state, run }) => state === 'starting' && run?.faults.has('boot-forever') !== true,
    )
    const waiting = queue.filter(run => !isStuck(run)).slice(coming.length)
    const booting = queue.filter(
      run => run.faults.has('boot-forever') && ![...replicas].some(replica => replica.run === run),
    )
    for (const run of [...waiting, ...booting]) if (replicas.size < maxReplicas) spawn(run)
  }

  function spawn(run: Run | null): void {
    const replica: Replica = { state: 'starting', run, paidUntil: clock.now(), cancelTimer: () => {} }
    replicas.add(replica)
    if (run?.faults.has('boot-forever')) return
    const wait = run?.faults.has('boot-slow') ? run.faults.number('boot-slow') * 1000 : bootMs
    replica.cancelTimer = clock.after(wait, () => idle(replica))
  }

  function begin(replica: Replica, run: Run): void {
    replica.cancelTimer()
    queue.splice(queue.indexOf(run), 1)
    charge(replica)
    replica.state = 'busy'
    replica.run = run
    take(run)
  }

  function idle(replica: Replica): void {
    charge(replica)
    replica.state = 'idle'
    dispatch()
    if (replica.state === 'idle') replica.cancelTimer = clock.after(idleMs, () => stop(replica))
  }

  function stop(replica: Replica): void {
    replica.cancelTimer()
    charge(replica)
    replicas.delete(replica)
    dispatch()
  }

  function charge(replica: Replica): void {
    const ms = clock.now() - replica.paidUntil
    replica.paidUntil = clock.now()
    if (replica.run === null) wokenMs += ms
    else replica.run.billedMs += ms
  }

  /** Another replica than the one that was started for a request may have taken it. */
  function replicaOf(run: Run, state: 'starting' | 'busy'): Replica | undefined {
    return [...replicas].find(replica => replica.run === run && replica.state === state)
  }

  return {
    add(run) {
      queue.push(run)
      dispatch()
    },
    free(run) {
      const replica = replicaOf(run, 'busy')
      if (replica !== undefined) idle(replica)
    },
    remove(run) {
      const at = queue.indexOf(run)
      if (at >= 0) queue.splice(at, 1)
      const replica = at < 0 ? replicaOf(run, 'busy') : isStuck(run) ? replicaOf(run, 'starting') : undefined
      if (replica !== undefined) stop(replica)
    },
    waiting: () => queue.length,
    wake() {
      if (replicas.size === 0) spawn(null)
    },
    active: () => [...replicas].filter(({ state }) => state !== 'starting').length,
    wokenMs: () => wokenMs,
    charge() {
      for (const replica of replicas) charge(replica)
    },
    close() {
      for (const replica of replicas) replica.cancelTimer()
    },
  }
}

/** No replica will ever take it. */
function isStuck({ faults }: Run): boolean {
  return faults.has('queue-forever') || faults.has('boot-forever') || faults.text('timed-out') === 'queue'
}
