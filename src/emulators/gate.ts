import type { FaultName } from './catalogue.ts'
import { type Faulty, once } from './misbehave.ts'

/** What a vendor does about the faults of a run that works. */
export interface GateHooks {
  isOver(): boolean
  /** Makes progress visible. */
  write(fraction: number, line?: string): void
  /** Ends the run as failed, in the vendor's words. */
  fail(words: string): void
  /** The worker is gone; the work begins again. */
  restart(): void
}

export interface Gate {
  at(fraction: number, line?: string): void
  /** The work is over, whether or not it reported its last step. */
  end(): void
  /** Nothing of this work counts any more. */
  frozen(): boolean
}

/** Lets a work's reports through until a fault of its run stands in the way. */
export function createGate(
  run: Faulty,
  failures: readonly (readonly [FaultName, string])[],
  { isOver, write, fail, restart }: GateHooks,
): Gate {
  const { faults } = run
  let frozen = false
  let reached = 0
  function at(fraction: number, line?: string): void {
    if (frozen || isOver()) return
    reached = fraction
    const failure = failures.find(([name]) => faults.has(name) && fraction >= faults.number(name))
    if (failure !== undefined) {
      frozen = true
      return fail(failure[1])
    }
    if (faults.has('stall') && fraction >= faults.number('stall')) {
      frozen = true
      return write(faults.number('stall'), line)
    }
    if (once(run, 'status-404-later')) run.forgotten = true
    write(fraction, line)
    if (fraction >= faults.number('progress-back') && once(run, 'progress-back')) write(fraction / 2)
    const isKilled = faults.has('worker-killed') && fraction >= faults.number('worker-killed')
    if (isKilled || (fraction >= faults.number('progress-restart') && once(run, 'progress-restart'))) {
      frozen = true
      restart()
    }
  }
  return {
    at,
    frozen: () => frozen,
    end() {
      if (reached < 1) at(1)
    },
  }
}
