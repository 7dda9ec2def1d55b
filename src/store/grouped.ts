import { setImmediate } from 'node:timers/promises'

/** A round takes calls until it has this many items: SQLite runs on this thread, and a round is a pause for all else. */
const fullRound = 250

/**
 * Group commit. A durable transaction costs one wait for the disk, however much is in it; so calls go into it together.
 *
 * Idle: a call opens a round, which begins once the loop has turned; whoever calls until then joins. SQLite runs on this
 * thread, so hardly anybody could call *while* a round runs: without the turn each round would hold one or two calls, and
 * callers that wait only for their own commits would keep the loop from ever turning. Busy: calls queue; a turn after
 * the round's end, what has queued becomes the next one, up to `fullRound` items. A round that fails with several callers in it is repeated one caller at a time, so that one bad change does not fail its neighbours; unless the
 * failure `isShared`: then it is everybody's, and waiting for it once per caller would help nobody.
 */
export function createGrouped<Item, Outcome>(
  run: (items: readonly Item[]) => Promise<readonly Outcome[]>,
  isShared: (error: unknown) => boolean = () => false,
): (items: readonly Item[]) => Promise<readonly Outcome[]> {
  interface Call {
    readonly items: readonly Item[]
    readonly resolve: (outcomes: readonly Outcome[]) => void
    readonly reject: (error: unknown) => void
  }
  const queue: Call[] = []
  let busy = false

  async function runRound(calls: readonly Call[]): Promise<void> {
    try {
      const outcomes = await run(calls.flatMap(call => call.items))
      let from = 0
      for (const call of calls) {
        call.resolve(outcomes.slice(from, from + call.items.length))
        from += call.items.length
      }
    } catch (error) {
      if (calls.length > 1 && !isShared(error)) for (const call of calls) await runRound([call])
      else for (const call of calls) call.reject(error)
    }
  }

  async function drain(): Promise<void> {
    busy = true
    while (queue.length > 0) {
      await setImmediate()
      const calls: Call[] = []
      let size = 0
      for (const call of queue) {
        if (size >= fullRound) break
        calls.push(call)
        size += call.items.length
      }
      queue.splice(0, calls.length)
      await runRound(calls)
    }
    busy = false
  }

  return items =>
    new Promise((resolve, reject) => {
      queue.push({ items, resolve, reject })
      if (!busy) void drain()
    })
}
