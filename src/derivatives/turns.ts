/** Lets so many in at a time; the others wait in order. */
export interface Turns {
  readonly waiting: number
  /** Resolves with what ends the turn; rejects with the signal's reason when that comes first. */
  take(signal: AbortSignal): Promise<() => void>
}

/** Makes a queue with `places` places. */
export function createTurns(places: number): Turns {
  const queue: (() => void)[] = []
  let taken = 0

  function give(): void {
    taken--
    queue.shift()?.()
  }

  return {
    get waiting() {
      return queue.length
    },
    async take(signal) {
      signal.throwIfAborted()
      if (taken >= places) {
        await new Promise<void>((resolve, reject) => {
          const onAbort = () => {
            queue.splice(queue.indexOf(enter), 1)
            reject(signal.reason)
          }
          const enter = () => {
            signal.removeEventListener('abort', onAbort)
            // At once, so that nobody else can slip in before whoever waited goes on.
            taken++
            resolve()
          }
          queue.push(enter)
          signal.addEventListener('abort', onAbort, { once: true })
        })
      } else taken++
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        give()
      }
    },
  }
}
