/** One server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export interface StreamEvent {
  readonly event: string
  readonly data: string
}

/** The events of a stream, in order. Comments and unknown fields are passed over, as is an event that was cut. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of body) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const fields = block.split('\n').map(line => line.split(/: ?(.*)/s, 2))
      const read = (name: string) => fields.find(([field]) => field === name)?.[1]
      const data = read('data')
      if (data !== undefined) yield { event: read('event') ?? 'message', data }
    }
  }
}
