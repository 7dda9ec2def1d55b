/** Reads a stream front to back by exact sizes; holds no more than one chunk of it and what was asked for. */
export interface ByteReader {
  /** Bytes consumed so far. */
  readonly offset: number
  /** Up to `size` of the next bytes without consuming them; fewer only at the end of the stream. */
  peek(size: number): Promise<Uint8Array>
  /** Exactly `size` bytes; calls `endedEarly` where the stream holds fewer. */
  take(size: number): Promise<Uint8Array>
  /** Consumes exactly `size` bytes; calls `endedEarly` where the stream holds fewer. */
  skip(size: number): Promise<void>
  /** Consumes everything up to and including the next byte of this value; calls `endedEarly` where there is none. */
  skipPast(value: number): Promise<void>
  /** Lets go of the stream; the rest of it is never read. */
  close(): Promise<void>
}

/**
 * Most reads of one file. The most honest ones need: a JPEG of 100 megapixels with a restart marker after every block,
 * some three million. A file of 50 MB made of nothing but empty pieces would hold everything else up for eight seconds.
 */
const mostReads = 4_000_000

/** What a reader of the stream should see: each throws. */
export interface ByteReaderProblems {
  endedEarly(): never
  tooManyPieces(): never
}

export function createByteReader(
  stream: AsyncIterable<Uint8Array>,
  { endedEarly, tooManyPieces }: ByteReaderProblems,
): ByteReader {
  const chunks = stream[Symbol.asyncIterator]()
  let chunk: Uint8Array = new Uint8Array(0)
  let offset = 0
  let reads = 0

  function count(): void {
    reads += 1
    if (reads > mostReads) tooManyPieces()
  }

  /** Puts the next chunk behind what is left of this one; false at the end of the stream. */
  async function more(): Promise<boolean> {
    const next = await chunks.next()
    if (next.done) return false
    chunk = chunk.length === 0 ? next.value : Buffer.concat([chunk, next.value])
    return true
  }

  function consume(size: number): void {
    chunk = chunk.subarray(size)
    offset += size
  }

  async function peek(size: number): Promise<Uint8Array> {
    while (chunk.length < size && (await more()));
    return chunk.subarray(0, size)
  }

  return {
    get offset() {
      return offset
    },
    peek,
    async take(size) {
      count()
      const bytes = await peek(size)
      if (bytes.length < size) endedEarly()
      consume(size)
      return bytes
    },
    async skip(size) {
      count()
      for (let left = size; left > 0; ) {
        if (chunk.length === 0 && !(await more())) endedEarly()
        const step = Math.min(left, chunk.length)
        consume(step)
        left -= step
      }
    },
    async skipPast(value) {
      count()
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

/** Four bytes as Latin-1 text, fewer where the bytes end: the names of chunks, boxes and brands. */
export function readName(bytes: Uint8Array, at: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', at, at + 4)
}
