import { readName, readUint } from './byte-reader.ts'
import type { Inspection } from './inspection.ts'
import { exifWithoutLocation, xmpWithoutLocation } from './location.ts'

/**
 * WebP (RFC 9649): a RIFF of chunks; `VP8 ` (lossy) or `VP8L` (lossless) holds the picture, `VP8X` announces
 * extensions, animation among them. Every size that is stated counts, because a decoder allocates by any of them.
 */
export async function inspectWebp({ reader, bytes, size, metadata, invalid }: Inspection): Promise<number> {
  const riff = await reader.take(12)
  const end = 8 + readUint(riff, 4, 4, 'little')
  let hasPicture = false
  while (reader.offset + 8 <= Math.min(end, bytes)) {
    const head = await reader.take(8)
    const name = readName(head, 0)
    const length = readUint(head, 4, 4, 'little')
    const next = Math.min(reader.offset + length + (length % 2), end)
    if (reader.offset + length > end) invalid('is not a readable WebP: a chunk is longer than the file')
    if (name === 'VP8X') {
      const header = await reader.take(10)
      if (((header[0] ?? 0) & 0x02) !== 0) invalid('is an animation; send one still picture')
      size(1 + readUint(header, 4, 3, 'little'), 1 + readUint(header, 7, 3, 'little'))
    }
    if (name === 'EXIF') metadata({ at: reader.offset, bytes: length, clean: exifWithoutLocation })
    if (name === 'XMP ') metadata({ at: reader.offset, bytes: length, clean: xmpWithoutLocation })
    if (name === 'ANIM' || name === 'ANMF') invalid('is an animation; send one still picture')
    if (name === 'VP8 ') {
      const header = await reader.take(10)
      if (readUint(header, 3, 3, 'big') !== 0x9d012a) invalid('is not a readable WebP: its frame header is damaged')
      size(readUint(header, 6, 2, 'little') & 0x3fff, readUint(header, 8, 2, 'little') & 0x3fff)
      hasPicture = true
    }
    if (name === 'VP8L') {
      const header = await reader.take(5)
      if (header[0] !== 0x2f) invalid('is not a readable WebP: its frame header is damaged')
      const packed = readUint(header, 1, 4, 'little')
      size(1 + (packed & 0x3fff), 1 + ((packed >>> 14) & 0x3fff))
      hasPicture = true
    }
    if (next < reader.offset) invalid('is not a readable WebP: a chunk is too short')
    await reader.skip(next - reader.offset)
  }
  // The bytes that the RIFF header promises and the file lacks: asking for them refuses the file as cut off.
  await reader.skip(end - reader.offset)
  if (!hasPicture) invalid('is a WebP without a picture in it')
  return end
}
