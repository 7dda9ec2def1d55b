import type { Clock } from '../core/clock.ts'

/** A signal that ends after `limitMs` by the injected clock, or with its parent; `done` must be called when it is no longer needed. */
export interface Limit {
  readonly signal: AbortSignal
  abort(reason: string): void
  done(): void
}

export function createLimit(clock: Clock, limitMs: number, what: string): Limit {
  const controller = new AbortController()
  const cancel = clock.after(limitMs, () => controller.abort(new Error(`${what} took longer than ${limitMs} ms.`)))
  return {
    signal: controller.signal,
    abort(reason) {
      cancel()
      // By this name it is known as nobody's fault, and not logged as one.
      controller.abort(new DOMException(reason, 'AbortError'))
    },
    done: cancel,
  }
}
