import type { Clock } from '../core/clock.ts'

/** What the client has around it. Injected whole, so that tests can stop time and take the network away. */
export interface Surroundings extends Clock {
  readonly fetch: typeof fetch
  /** Dice in [0, 1). */
  random(): number
  /** Whether nobody sees the page. */
  isHidden(): boolean
  /** Calls `run` when the page is shown again or the network is back; the returned function ends that. */
  onWake(run: () => void): () => void
}

/** What a page has beyond Node, where it is one. */
interface Page {
  readonly document?: { readonly hidden: boolean }
  addEventListener?(type: string, run: () => void): void
  removeEventListener?(type: string, run: () => void): void
}

const page = globalThis as Page
const wakeEvents = ['online', 'pageshow', 'visibilitychange']

/** The browser. Nothing is touched before the first call, so servers may load this too. */
export const browser: Surroundings = {
  fetch: (input, init) => fetch(input, init),
  now: () => Date.now(),
  random: () => Math.random(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  isHidden: () => page.document?.hidden === true,
  onWake(run) {
    const wake = () => {
      if (page.document?.hidden !== true) run()
    }
    for (const type of wakeEvents) page.addEventListener?.(type, wake)
    return () => {
      for (const type of wakeEvents) page.removeEventListener?.(type, wake)
    }
  },
}

/** Up to a quarter more or less, so that pages which lost the gateway together do not come back together. */
export function spread({ random }: Surroundings, ms: number): number {
  return ms * (0.75 + random() / 2)
}

/** Calls `run` once after `ms`, or when the page wakes and `isEarly` allows it; the returned function prevents that. */
function alarm(
  { after, onWake }: Surroundings,
  ms: number,
  run: () => void,
  isEarly: () => boolean = () => true,
): () => void {
  const ring = () => {
    stop()
    run()
  }
  const stops = [after(ms, ring), onWake(() => isEarly() && ring())]
  const stop = () => {
    for (const each of stops) each()
  }
  return stop
}

/** Resolves after `ms`, or at once when the page wakes; rejects with the signal's reason. */
export function wait(around: Surroundings, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const end = () => {
      stop()
      reject(signal?.reason)
    }
    const stop = alarm(around, ms, () => {
      signal?.removeEventListener('abort', end)
      resolve()
    })
    signal?.addEventListener('abort', end)
  })
}

/** Ends what waits for an answer that never comes: after a sleep, a connection may be dead and not know it. */
export interface Guard {
  /** Aborted by the caller's signal, or with `silence` when nothing was heard for too long. */
  readonly signal: AbortSignal
  /** Something was heard; the next must follow within `ms`. */
  expect(ms: number): void
  /** Nothing is waited for. */
  rest(): void
}

export function createGuard(around: Surroundings, silence: Error, signal?: AbortSignal): Guard {
  const silent = new AbortController()
  let rest = () => {}
  return {
    signal: signal === undefined ? silent.signal : AbortSignal.any([signal, silent.signal]),
    expect(ms) {
      rest()
      // Timers stand still while a machine sleeps; its clock does not.
      const dueAt = around.now() + ms
      rest = alarm(
        around,
        ms,
        () => silent.abort(silence),
        () => around.now() >= dueAt,
      )
    },
    rest: () => rest(),
  }
}
