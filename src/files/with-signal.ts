/** Settles as the promise does, or rejects with the signal's reason as soon as that aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/**
 * The same chunks, but an abort ends the wait for the next one at once, with the signal's reason: a body that has
 * stalled would otherwise hold its reader, and what the reader has open, for ever.
 */
export async function* withSignal(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (signal === undefined) return yield* body
  const chunks = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      signal.throwIfAborted()
      const next = await abortable(chunks.next(), signal)
      if (next.done) return
      yield next.value
    }
  } finally {
    // Not awaited: the return of a generator that is stuck waiting for its source comes only after that wait.
    void Promise.resolve(chunks.return?.()).catch(() => {})
  }
}
