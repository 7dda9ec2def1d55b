/** Reads a stream front to back by exact counts; holds no more than one chunk of it and what was asked for. */
export interface ByteReader {
  /** Bytes consumed so far. */
  readonly offset: number
  /** Up to `count` of the next bytes without consuming them; fewer only at the end of the stream. */
  peek(count: number): Promise<Uint8Array>
  /** Exactly `count` bytes; calls `endedEarly` where the stream holds fewer. */
  take(count: number): Promise<Uint8Array>
  /** Consumes exactly `count` bytes; calls `endedEarly` where the stream holds fewer. */
  skip(count: number): Promise<void>
  /** Consumes everything up to and including the next byte of this value; calls `endedEarly` where there is none. */
  skipPast(value: number): Promise<void>
  /** Lets go of the stream; the rest of it is never read. */
  close(): Promise<void>
}

/** `endedEarly` throws what a reader of this stream should see when it is cut off. */
export function createByteReader(stream: AsyncIterable<Uint8Array>, endedEarly: () => never): ByteReader {
  const chunks = stream[Symbol.asyncIterator]()
  let chunk: Uint8Array = new Uint8Array(0)
  let offset = 0

  /** Puts the next chunk behind what is left of this one; false at the end of the stream. */
  async function more(): Promise<boolean> {
    const next = await chunks.next()
    if (next.done) return false
    chunk = chunk.length === 0 ? next.value : Buffer.concat([chunk, next.value])
    return true
  }

  function consume(count: number): void {
    chunk = chunk.subarray(count)
    offset += count
  }

  async function peek(count: number): Promise<Uint8Array> {
    while (chunk.length < count && (await more()));
    return chunk.subarray(0, count)
  }

  return {
    get offset() {
      return offset
    },
    peek,
    async take(count) {
      const bytes = await peek(count)
      if (bytes.length < count) endedEarly()
      consume(count)
      return bytes
    },
    async skip(count) {
      for (let left = count; left > 0; ) {
        if (chunk.length === 0 && !(await more())) endedEarly()
        const step = Math.min(left, chunk.length)
        consume(step)
        left -= step
      }
    },
    async skipPast(value) {
      for (;;) {
        const index = chunk.indexOf(value)
        if (index >= 0) return consume(index + 1)
        consume(chunk.length)
        if (!(await more())) endedEarly()
      }
    },
    async close() {
      await chunks.return?.()
    },
  }
}

/** The unsigned number of `size` bytes at an offset. */
export function readUint(bytes: Uint8Array, at: number, size: 2 | 3 | 4, order: 'big' | 'little'): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return order === 'big' ? view.readUIntBE(at, size) : view.readUIntLE(at, size)
}

/** Four bytes as Latin-1 text: the names of chunks, boxes and brands. */
export function readName(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4))
}
