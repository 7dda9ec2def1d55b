import { refuse } from '../core/failure.ts'

/** Characters of base64 that are decoded at a time; a multiple of four, so that pieces join without a seam. */
const pieceLength = 64 * 1024

/** The media type of a data URI; null when it states none. Fails with `input_invalid` when it is none. */
export function dataUriMediaType(uri: string): string | null {
  const header = /^data:([^,]*),/i.exec(uri.slice(0, 1024))
  if (header === null)
    return refuse('input_invalid', 'That is not a data URI: it must look like data:image/jpeg;base64,...')
  return header[1]?.split(';')[0]?.toLowerCase() || null
}

/**
 * The bytes of a base64 data URI (RFC 2397), piece by piece: a large one is never held twice. Fails with `input_invalid`
 * for other encodings and for anything that is not base64.
 */
export async function* dataUriBytes(uri: string): AsyncGenerator<Uint8Array> {
  const comma = uri.indexOf(',')
  if (!uri.slice(0, 5).toLowerCase().startsWith('data:') || comma < 0)
    refuse('input_invalid', 'That is not a data URI.')
  if (!/;base64$/i.test(uri.slice(0, comma))) refuse('input_invalid', 'The data URI is not base64-encoded.')
  for (let start = comma + 1; start < uri.length; start += pieceLength) {
    const piece = uri.slice(start, start + pieceLength)
    const last = start + pieceLength >= uri.length
    if (!(last ? /^[A-Za-z0-9+/_-]*={0,2}$/ : /^[A-Za-z0-9+/_-]*$/).test(piece))
      refuse('input_invalid', 'The data URI holds characters that are not base64.')
    yield Buffer.from(piece, 'base64')
  }
}
