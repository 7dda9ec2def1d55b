import type { Clock } from '../core/clock.ts'

/** What `fetch` rejects with when the other side cuts the connection after the request. */
export function connectionReset(): TypeError {
  return networkError('ECONNRESET', 'read ECONNRESET')
}

/** What `fetch` rejects with when nobody listens: surely nothing was sent. */
export function connectionRefused(): TypeError {
  return networkError('ECONNREFUSED', 'connect ECONNREFUSED')
}

function networkError(code: string, message: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error(message), { code }) })
}

/** A connection that stays open and silent until somebody ends it. */
export function hang(...signals: readonly AbortSignal[]): Promise<never> {
  return new Promise((_, reject) => {
    const signal = AbortSignal.any([...signals])
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** Waits on the injected clock; rejects as soon as a signal ends. */
export function pause(clock: Clock, ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.any([...signals])
    if (signal.aborted) return reject(signal.reason)
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', end)
      resolve()
    })
    function end(): void {
      cancel()
      reject(signal.reason)
    }
    signal.addEventListener('abort', end, { once: true })
  })
}
