import { readName, readUint } from './byte-reader.ts'
import type { Inspection } from './inspection.ts'
import { exifWithoutLocation, xmpWithoutLocation } from './location.ts'

const startOfScan = 0xda
const endOfImage = 0xd9
const app1 = 0xe1

/**
 * JPEG (ITU-T T.81): markers, most of them with a length and data; the size stands in a start-of-frame segment; scans
 * run up to the next marker that is neither a stuffed zero nor a restart. Thumbnails lie inside segments and are jumped
 * over with them, so their end is not taken for the picture's. Behind the end phones append second pictures and videos.
 */
export async function inspectJpeg({ reader, size, metadata, invalid }: Inspection): Promise<number> {
  await reader.skip(2)
  let hasSize = false
  let hasScan = false
  for (;;) {
    await reader.skipPast(0xff)
    let marker = 0xff
    while (marker === 0xff) marker = (await reader.take(1))[0] ?? 0
    if (marker === endOfImage) break
    if (standsAlone(marker)) continue
    const length = readUint(await reader.take(2), 0, 2, 'big')
    if (length < 2) invalid('is not a readable JPEG: a segment is damaged')
    if (!isFrame(marker)) {
      if (marker === startOfScan) hasScan = true
      if (marker === app1) {
        const at = reader.offset
        const isExif = readName(await reader.peek(4), 0) === 'Exif'
        metadata({ at, bytes: length - 2, clean: isExif ? exifWithoutLocation : xmpWithoutLocation })
      }
      await reader.skip(length - 2)
      continue
    }
    if (length < 8) invalid('is not a readable JPEG: its frame header is damaged')
    const frame = await reader.take(length - 2)
    size(readUint(frame, 3, 2, 'big'), readUint(frame, 1, 2, 'big'))
    hasSize = true
  }
  if (!hasSize || !hasScan) invalid('is a JPEG without a picture in it')
  return reader.offset
}

/** Stuffed zero, TEM, RST0 to RST7, SOI: no length follows. */
function standsAlone(marker: number): boolean {
  return marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)
}

/** SOF0 to SOF15, without DHT, JPG and DAC, which share the range. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}
