import { refuse } from '../core/failure.ts'
import type { FileField, Patch, ReadableFile } from './contract.ts'
import { type ByteReader, createByteReader, readName } from './image/byte-reader.ts'
import { heifHeadBytes, heifMediaType, inspectHeif } from './image/heif.ts'
import type { Inspect, MetadataPlace } from './image/inspection.ts'
import { inspectJpeg } from './image/jpeg.ts'
import { inspectPng } from './image/png.ts'
import { inspectWebp } from './image/webp.ts'

/** Largest photo, in bytes. */
export const mostPhotoBytes = 50_000_000
/** Largest photo, in pixels: what a decoder would have to hold at once. */
export const mostPhotoPixels = 100_000_000

/** Most that a photo may say of itself; an honest one says at most some 100 KB. */
const mostMetadataBytes = 16_000_000
const mostMetadataPlaces = 256

/**
 * A required photo: JPEG, PNG, WebP, AVIF or HEIC, recognised by its content whatever it is called. Looks at headers and
 * structure in one pass and never decodes, because decoding a hostile file is the worker's risk to take, not the
 * gateway's. Facts are `{ width, height }` in pixels as the file states them, before any rotation that it asks for, and
 * `location_removed` where the file told coordinates: `without` is the file without them, and without what phones append
 * to a picture (a film, a second picture with coordinates of its own). Everything else, the lens included, stays. A HEIC
 * photo is to be converted.
 *
 * `check` fails with `input_too_large` (over 50 MB or 100 megapixels) or `input_invalid` (empty, another kind of file,
 * an animation, cut off, damaged); the message names `field`.
 */
export function createImageInput(field: string): FileField {
  function invalid(problem: string): never {
    refuse('input_invalid', `The ${field} ${problem}.`)
  }

  return {
    required: true,
    maxBytes: mostPhotoBytes,
    async check(file) {
      if (file.bytes === 0) invalid('is an empty file')
      if (file.bytes > mostPhotoBytes)
        refuse('input_too_large', `The ${field} has ${file.bytes} bytes; at most ${mostPhotoBytes} are accepted.`)
      let width = 0
      let height = 0
      function size(statedWidth: number, statedHeight: number): void {
        if (statedWidth === 0 || statedHeight === 0) invalid(`states a size of ${statedWidth} x ${statedHeight} pixels`)
        if (statedWidth * statedHeight > mostPhotoPixels)
          refuse(
            'input_too_large',
            `The ${field} has ${statedWidth} x ${statedHeight} pixels; at most ${mostPhotoPixels / 1e6} megapixels are accepted.`,
          )
        if (statedWidth * statedHeight > width * height) [width, height] = [statedWidth, statedHeight]
      }

      const places: MetadataPlace[] = []
      let left = mostMetadataBytes
      function metadata(place: MetadataPlace): void {
        if (place.bytes === 0) return
        left -= place.bytes
        if (left < 0 || places.push(place) > mostMetadataPlaces)
          invalid('carries more data about itself than any real picture')
      }

      const { mediaType, end } = await read(file, invalid, async reader => {
        const format = await recognise(reader, invalid)
        const end = await format.inspect({ reader, bytes: file.bytes, size, metadata, invalid })
        return { mediaType: format.mediaType, end }
      })
      const facts = { width, height }
      // Made anew from its pixels, it tells nothing of where it was taken.
      if (mediaType === 'image/heic') return { mediaType, facts, convert: 'heic' }
      const patches = await withoutLocation(file, places)
      if (patches.length === 0 && end === file.bytes) return { mediaType, facts }
      const plain = patches.length === 0 ? facts : { ...facts, location_removed: true }
      return { mediaType, facts: plain, without: { patches, bytes: end } }
    },
  }
}

async function read<T>(
  file: ReadableFile,
  invalid: (problem: string) => never,
  work: (reader: ReturnType<typeof createByteReader>) => Promise<T>,
): Promise<T> {
  const { body } = await file.open()
  const reader = createByteReader(body, {
    endedEarly: () => invalid('is cut off: its end is missing'),
    tooManyPieces: () => invalid('is made of more pieces than any real picture'),
  })
  try {
    return await work(reader)
  } finally {
    await reader.close()
  }
}

/** What must be overwritten so that nothing in the file says where its picture was taken. */
async function withoutLocation(file: ReadableFile, places: readonly MetadataPlace[]): Promise<Patch[]> {
  const patches: Patch[] = []
  for (const { at, bytes, clean } of places.filter(({ at }) => at < file.bytes)) {
    const { body } = await file.open({ start: at, end: Math.min(at + bytes, file.bytes) - 1 })
    const piece = clean(new Uint8Array(await new Response(body).arrayBuffer()))
    if (piece !== null) patches.push({ at, bytes: piece })
  }
  return patches
}

async function recognise(
  reader: ByteReader,
  invalid: (problem: string) => never,
): Promise<{ mediaType: string; inspect: Inspect }> {
  const head = await reader.peek(12)
  const starts = (...bytes: number[]) => bytes.every((byte, index) => head[index] === byte)
  if (starts(0xff, 0xd8, 0xff)) return { mediaType: 'image/jpeg', inspect: inspectJpeg }
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return { mediaType: 'image/png', inspect: inspectPng }
  if (readName(head, 0) === 'RIFF' && readName(head, 8) === 'WEBP')
    return { mediaType: 'image/webp', inspect: inspectWebp }
  if (readName(head, 4) === 'ftyp')
    return { mediaType: heifMediaType(await reader.peek(heifHeadBytes), invalid), inspect: inspectHeif }
  if (readName(head, 0) === 'GIF8') return invalid('is a GIF; send a JPEG, PNG, WebP, AVIF or HEIC photo')
  return invalid('is not a picture that can be read; send a JPEG, PNG, WebP, AVIF or HEIC photo')
}
