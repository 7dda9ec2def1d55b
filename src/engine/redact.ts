import type { Redaction } from '../models/contract.ts'

/** A file's bytes with what a redaction overwrites and cuts off; never held whole. */
export async function* redact(
  body: AsyncIterable<Uint8Array>,
  { patches, bytes }: Redaction,
): AsyncGenerator<Uint8Array, void, undefined> {
  let start = 0
  for await (const chunk of body) {
    const end = Math.min(start + chunk.length, bytes)
    const touched = patches.filter(patch => patch.at < end && patch.at + patch.bytes.length > start)
    const piece = chunk.subarray(0, end - start)
    yield touched.length === 0 ? piece : overwritten(piece, start, touched)
    start = end
    if (start === bytes) return
  }
}

function overwritten(piece: Uint8Array, start: number, patches: Redaction['patches']): Uint8Array {
  const copy = Uint8Array.from(piece)
  for (const { at, bytes } of patches) {
    const from = Math.max(0, start - at)
    copy.set(bytes.subarray(from, start + copy.length - at), Math.max(0, at - start))
  }
  return copy
}
