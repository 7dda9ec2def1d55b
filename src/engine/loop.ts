import type { Clock } from '../core/clock.ts'

/**
 * Runs `work` after `everyMs`, and again so long after its end, whether it succeeds or not. The returned function ends
 * the loop and resolves when its last turn is over.
 */
export function startLoop(
  clock: Clock,
  everyMs: number,
  work: () => Promise<void>,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let cancel = () => {}
  let ended = false
  let turn = Promise.resolve()
  const wait = () => {
    cancel = clock.after(everyMs, () => {
      turn = work()
        .catch(onError)
        .then(() => void (ended || wait()))
    })
  }
  wait()
  return () => {
    ended = true
    cancel()
    return turn
  }
}
