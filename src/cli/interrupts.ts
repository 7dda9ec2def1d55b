import type { Io } from './io.ts'

/** Ctrl-C as commands understand it: the first asks for an orderly end, the second ends at once. */
export interface Interrupts {
  /** Aborted by the first. */
  readonly first: AbortSignal
  /** Resolves to the exit code 130 by the second. */
  readonly second: Promise<number>
  stop(): void
}

/** The terminal, npm and a script in between may each pass on one and the same Ctrl-C; nobody presses twice so fast. */
const sameWithinMs = 300

/** Takes over SIGINT and SIGTERM until `stop`. `now` is in milliseconds. */
export function watchInterrupts(io: Pick<Io, 'onSignal'>, now: () => number = () => performance.now()): Interrupts {
  const first = new AbortController()
  let firstAt = 0
  let end: (code: number) => void = () => {}
  const second = new Promise<number>(resolve => {
    end = resolve
  })
  const stop = io.onSignal(() => {
    if (!first.signal.aborted) {
      firstAt = now()
      first.abort()
    } else if (now() - firstAt > sameWithinMs) end(130)
  })
  return { first: first.signal, second, stop }
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
