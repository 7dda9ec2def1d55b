import { createHash } from 'node:crypto'
import { refuse } from '../core/failure.ts'
import type { FileStore, PutOptions, PutResult } from '../files/contract.ts'

/** A file store in memory, for simulations: no disk, so nothing waits for anything but promises. */
export function createMemoryFiles(): FileStore & {
  readonly keys: () => readonly string[]
  readonly has: (key: string) => boolean
} {
  const stored = new Map<string, Uint8Array>()

  async function put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutResult> {
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of body) {
      options.signal?.throwIfAborted()
      bytes += chunk.length
      if (bytes > options.maxBytes) refuse('input_too_large', `The file is larger than ${options.maxBytes} bytes.`)
      // Whoever sends it may use its buffer again.
      chunks.push(Uint8Array.from(chunk))
    }
    const whole = Buffer.concat(chunks)
    const sha256 = createHash('sha256').update(whole).digest('hex')
    if (options.bytes !== undefined && options.bytes !== bytes)
      refuse('output_invalid', `Expected ${options.bytes} bytes and got ${bytes}.`)
    if (options.sha256 !== undefined && options.sha256 !== sha256) refuse('output_invalid', 'The checksum differs.')
    if (stored.has(key)) return { kind: 'exists' }
    stored.set(key, whole)
    return { kind: 'stored', bytes, sha256 }
  }

  return {
    put,
    adopt: async (_key, path) => refuse('output_lost', `A store in memory cannot take over ${path}.`),
    async open(key, range) {
      const whole = stored.get(key)
      if (whole === undefined) return null
      const part =
        range === undefined ? whole : whole.subarray(range.start, range.end === undefined ? undefined : range.end + 1)
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          if (part.length > 0) controller.enqueue(part)
          controller.close()
        },
      })
      return { body, bytes: part.length, total: whole.length }
    },
    async stat(key) {
      const whole = stored.get(key)
      return whole === undefined ? null : { bytes: whole.length }
    },
    async remove(key) {
      stored.delete(key)
    },
    async *list(folder, after = '') {
      const keys = [...stored.keys()].filter(key => key.startsWith(`${folder}/`) && key > after)
      for (const key of keys.toSorted()) {
        const bytes = stored.get(key)?.length
        if (bytes !== undefined) yield { key, bytes }
      }
    },
    path: () => null,
    keys: () => [...stored.keys()],
    has: key => stored.has(key),
  }
}
