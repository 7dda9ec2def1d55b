/**
 * The only way to time for everything outside `main`. Injected whole, `now` and timers together: a clock that is
 * injected halfway cannot be simulated.
 */
export interface Clock {
  /** Milliseconds since 1970 (UTC). */
  now(): number
  /** Calls `run` once after `delayMs`; the returned function cancels it. Never keeps a process alive by itself. */
  after(delayMs: number, run: () => void): () => void
}

/** Dice in [0, 1), injected like the clock so that a seed replays a run. */
export type Random = () => number
