import { refuse } from '../core/failure.ts'
import type { FileField, ReadableFile } from './contract.ts'
import { inspectAvif } from './image/avif.ts'
import { createByteReader, readName } from './image/byte-reader.ts'
import type { Inspect } from './image/inspection.ts'
import { inspectJpeg } from './image/jpeg.ts'
import { inspectPng } from './image/png.ts'
import { inspectWebp } from './image/webp.ts'

/** Largest photo, in bytes. */
export const mostPhotoBytes = 50_000_000
/** Largest photo, in pixels: what a decoder would have to hold at once. */
export const mostPhotoPixels = 100_000_000

/**
 * A required photo: JPEG, PNG, WebP or AVIF, recognised by its content whatever it is called. Looks at headers and
 * structure in one pass and never decodes, because decoding a hostile file is the worker's risk to take, not the
 * gateway's. Facts are `{ width, height }` in pixels as the file states them, before any rotation that it asks for.
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

      const mediaType = await read(file, invalid, async reader => {
        const format = recognise(await reader.peek(12), invalid)
        await format.inspect({ reader, bytes: file.bytes, size, invalid })
        return format.mediaType
      })
      return { mediaType, facts: { width, height } }
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

function recognise(head: Uint8Array, invalid: (problem: string) => never): { mediaType: string; inspect: Inspect } {
  const starts = (...bytes: number[]) => bytes.every((byte, index) => head[index] === byte)
  if (starts(0xff, 0xd8, 0xff)) return { mediaType: 'image/jpeg', inspect: inspectJpeg }
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return { mediaType: 'image/png', inspect: inspectPng }
  if (readName(head, 0) === 'RIFF' && readName(head, 8) === 'WEBP')
    return { mediaType: 'image/webp', inspect: inspectWebp }
  if (readName(head, 4) === 'ftyp') return { mediaType: 'image/avif', inspect: inspectAvif }
  if (readName(head, 0) === 'GIF8') return invalid('is a GIF; send a JPEG, PNG, WebP or AVIF photo')
  return invalid('is not a picture that can be read; send a JPEG, PNG, WebP or AVIF photo')
}
