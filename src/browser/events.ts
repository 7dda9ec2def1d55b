import { type Connection, guardFor, send, unreadable } from './request.ts'

/** The gateway sends the prediction at once; a proxy that holds it back would do so for ever. */
const firstByteMs = 8_000
/** The gateway writes something every 15 seconds. */
const silenceMs = 40_000

/** A server-sent event. */
export interface StreamEvent {
  readonly name: string
  readonly data: string
  /** Empty where it has none. */
  readonly id: string
}

/**
 * The events of an address, from after `lastEventId` on, until the stream ends or is cut. Fails where there is no such stream,
 * and where one falls silent. By `fetch`: an `EventSource` can send no headers, and does not tell why it failed.
 */
export async function* readEvents(
  connection: Connection,
  path: string,
  { signal, lastEventId }: { readonly signal?: AbortSignal; readonly lastEventId?: string },
): AsyncGenerator<StreamEvent, void, void> {
  const guard = guardFor(connection, signal)
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  const cut = () => void reader?.cancel().catch(() => {})
  guard.signal.addEventListener('abort', cut)
  try {
    const waitMs = lastEventId === undefined ? firstByteMs : silenceMs
    guard.expect(waitMs)
    const response = await send(connection, path, {
      headers: { accept: 'text/event-stream', ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
      signal: guard.signal,
    })
    reader = response.body?.getReader()
    if (reader === undefined || !response.headers.get('content-type')?.startsWith('text/event-stream'))
      throw unreadable(response)
    const decoder = new TextDecoder()
    let text = ''
    guard.expect(waitMs)
    for (;;) {
      const { done, value } = await reader.read()
      guard.signal.throwIfAborted()
      if (done) return
      // Whoever reads slowly is not a silent stream.
      guard.rest()
      const blocks = (text + decoder.decode(value, { stream: true })).split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) yield toEvent(block)
      guard.expect(silenceMs)
    }
  } finally {
    guard.rest()
    cut()
  }
}

/** As the gateway writes them: a line each. */
function toEvent(block: string): StreamEvent {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
  return { name: field('event'), data: field('data'), id: field('id') }
}
