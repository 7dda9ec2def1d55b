import { refuse } from '../../core/failure.ts'
import { isThisMachine } from '../option-schemas.ts'

/** Inputs and answers that travel as bytes are held in memory: no more than this of each. */
export const maxInlineBytes: number = 32 * 1024 * 1024

/** A body's bytes, or null when it is longer than `maxInlineBytes`; the rest is not read. Throws what the stream throws. */
export async function readBytes(response: Response): Promise<Uint8Array | null> {
  if (response.body === null) return new Uint8Array()
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body) {
    length += part.byteLength
    if (length > maxInlineBytes) return null
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** Bytes as an output or an input that JSON can carry. */
export function toDataUriOf(bytes: Uint8Array, mediaType: string): string {
  return `data:${mediaType};base64,${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')}`
}

/** An address that the vendor's API gave us for bytes: https, or an emulator's on this machine. No secret goes there. */
export function checkBlobUrl(url: string, isVendor: boolean): string {
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:' || (!isVendor && isThisMachine(hostname))) return url
  return refuse('provider_error', 'Modal named an address for its bytes that is not https.')
}
