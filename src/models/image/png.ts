import { readName, readUint } from './byte-reader.ts'
import type { Inspection } from './inspection.ts'
import { pngChunkWithoutLocation } from './location.ts'

const mayTellLocation = ['eXIf', 'iTXt', 'zTXt', 'tEXt']

/**
 * PNG (third edition): an 8-byte signature, then chunks of length, name, data, checksum; IHDR first, IEND last.
 * Behind IEND several phones' screenshot editors leave the old picture's tail.
 */
export async function inspectPng({ reader, size, metadata, invalid }: Inspection): Promise<number> {
  await reader.skip(8)
  let hasPixels = false
  for (let isFirst = true; ; isFirst = false) {
    const head = await reader.take(8)
    const length = readUint(head, 0, 4, 'big')
    const name = readName(head, 4)
    if (isFirst) {
      if (name !== 'IHDR' || length !== 13) invalid('is not a readable PNG: its header is damaged')
      const header = await reader.take(8)
      size(readUint(header, 0, 4, 'big'), readUint(header, 4, 4, 'big'))
      await reader.skip(5 + 4)
      continue
    }
    if (name === 'acTL') {
      const frames = readUint(await reader.take(4), 0, 4, 'big')
      if (frames > 1) invalid('is an animation; send one still picture')
      await reader.skip(length - 4 + 4)
      continue
    }
    if (name === 'IDAT') hasPixels = true
    if (mayTellLocation.includes(name))
      metadata({ at: reader.offset - 4, bytes: length + 8, clean: pngChunkWithoutLocation })
    await reader.skip(length + 4)
    if (name !== 'IEND') continue
    if (!hasPixels) invalid('is a PNG without a picture in it')
    return reader.offset
  }
}
