import { type FileHandle, open } from 'node:fs/promises'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import type { OpenedFile } from './contract.ts'

/** Read at once; large enough that a 66 MB result takes some 250 reads, small enough for many readers at a time. */
const chunkBytes = 256 * 1024

/**
 * Opens a file or a part of it as a stream that reads only as fast as it is read from. Null when there is no file.
 * Beyond the file's end there are no bytes; `input_invalid` (416) for what is no range at all. Whoever opens must read to
 * the end or cancel: until then a file handle is open.
 */
export async function openRange(path: string, range?: { start: number; end?: number }): Promise<OpenedFile | null> {
  const { start, last } = checkRange(range)
  const file = await openFile(path)
  if (file === null) return null
  try {
    const total = (await file.stat()).size
    const bytes = Math.max(0, Math.min(last + 1, total) - start)
    return { body: createBody(file, start, start + bytes), bytes, total }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** First and last byte of a range; refuses with `input_invalid` (416) what is none. */
export function checkRange(range?: { start: number; end?: number }): { readonly start: number; readonly last: number } {
  const start = range?.start ?? 0
  const last = range?.end ?? Number.MAX_SAFE_INTEGER
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(last) || start < 0 || last < start)
    refuse('input_invalid', `Not a range of bytes: ${start}-${range?.end ?? ''}.`, { status: 416 })
  return { start, last }
}

/** A whole file from its beginning, leaving the handle open. A chunk is valid until the next one is asked for. */
export async function* readAll(file: FileHandle): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(chunkBytes)
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, position)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
    position += bytesRead
  }
}

async function openFile(path: string): Promise<FileHandle | null> {
  try {
    const file = await open(path, 'r')
    if ((await file.stat()).isFile()) return file
    await file.close()
    return null
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null
    throw error
  }
}

function createBody(file: FileHandle, start: number, end: number): ReadableStream<Uint8Array> {
  let position = start
  async function finish(controller: ReadableByteStreamController): Promise<void> {
    await file.close()
    controller.close()
    // The next read may have begun meanwhile; it ends only when it is answered.
    controller.byobRequest?.respond(0)
  }
  return new ReadableStream(
    {
      // Whoever reads may bring a buffer: see `core/passing-chunks.ts`.
      type: 'bytes',
      async start(controller) {
        if (start === end) await finish(controller)
      },
      async pull(controller) {
        const { byobRequest: request } = controller
        const given = request?.view ?? { buffer: new ArrayBuffer(Math.min(chunkBytes, end - position)), byteOffset: 0 }
        const wanted = Math.min(request?.view?.byteLength ?? chunkBytes, chunkBytes, end - position)
        const view = new Uint8Array(given.buffer, given.byteOffset, wanted)
        const { bytesRead } = await file.read(view, 0, wanted, position)
        if (bytesRead === 0) {
          await file.close()
          throw new SurefootError(createFailure('internal', 'A stored file became shorter while it was read.'))
        }
        position += bytesRead
        if (request === null) controller.enqueue(view.subarray(0, bytesRead))
        else request.respond(bytesRead)
        if (position === end) await finish(controller)
      },
      cancel: async () => await file.close(),
    },
    { highWaterMark: 0 },
  )
}
