import type { Clock } from '../core/clock.ts'

/** The real clock. Its timers never keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    // setTimeout takes at most a 32-bit delay; whoever waits longer is woken early and looks again.
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), 2 ** 31 - 1))
    timer.unref()
    return () => clearTimeout(timer)
  },
}
