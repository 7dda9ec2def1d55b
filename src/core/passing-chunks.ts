/** Bytes of the buffer that is used again and again. */
const bufferBytes = 256 * 1024

/**
 * A body's chunks for whoever is done with each before asking for the next: it is valid only until then. Bodies that can be
 * read into a given buffer, as those of files can, are read into the same one from beginning to end, so that reading two
 * gigabytes makes no garbage. Stopping early cancels the body; what it fails with passes through.
 */
export async function* passingChunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = toByteReader(body)
  if (reader === null) return yield* body
  let isOver = false
  try {
    for (let buffer = new ArrayBuffer(bufferBytes); ; ) {
      const { value, done } = await reader.read(new Uint8Array(buffer))
      isOver = done
      if (done) return
      yield value
      buffer = value.buffer
    }
  } finally {
    if (!isOver) await reader.cancel().catch(() => {})
  }
}

function toByteReader(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return body.getReader({ mode: 'byob' })
  } catch {
    // Not such a body. One that somebody else reads fails again where it is read.
    return null
  }
}
