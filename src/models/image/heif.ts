import { readName, readUint } from './byte-reader.ts'
import { children } from './heif-boxes.ts'
import { findMetadataItems } from './heif-items.ts'
import type { Inspection } from './inspection.ts'
import { heifExifWithoutLocation, xmpWithoutLocation } from './location.ts'

/** Item properties of a picture with thousands of tiles fit in well under this. */
const mostMetaBytes = 4 * 1024 * 1024
const mostFileTypeBytes = 4096

/** Brands of HEVC pictures (ISO/IEC 23008-12, annex B) and of AVIF (AVIF 1.1, section 6). */
const hevcBrands = ['heic', 'heix', 'heim', 'heis']
const sequenceBrands = ['avis', 'hevc', 'hevx', 'hevm', 'hevs', 'msf1']

/**
 * What a file of ISO boxes is, by the brands that its first box names. An iPhone's photo names a sequence's brand beside the
 * picture's, so the picture's comes first; what AVIF calls a sequence is an animation.
 */
export function heifMediaType(fileType: Uint8Array, invalid: Inspection['invalid']): 'image/avif' | 'image/heic' {
  const length = readUint(fileType, 0, 4, 'big')
  if (length < 16 || length > mostFileTypeBytes) invalid('is not a readable picture: its list of brands is damaged')
  const brands: string[] = []
  for (let at = 8; at + 4 <= Math.min(length, fileType.length); at += 4)
    if (at !== 12) brands.push(readName(fileType, at))
  if (brands.includes('avis')) invalid('is an animation; send one still picture')
  if (brands.includes('avif')) return 'image/avif'
  if (brands.some(brand => hevcBrands.includes(brand))) return 'image/heic'
  if (brands.some(brand => sequenceBrands.includes(brand))) invalid('is an animation; send one still picture')
  return invalid('is a video or another kind of file; send a JPEG, PNG, WebP, AVIF or HEIC photo')
}

/** As many bytes as `heifMediaType` can need. */
export const heifHeadBytes: number = mostFileTypeBytes

/**
 * AVIF and HEIC: ISO boxes; `meta` holds each item's size in an `ispe` property, `mdat` (or `idat` inside `meta`) the coded
 * picture. The largest `ispe` is the picture itself: tiles and thumbnails are smaller.
 */
export async function inspectHeif({ reader, bytes, size, metadata, invalid }: Inspection): Promise<number> {
  let hasSize = false
  let hasPicture = false
  let hasMeta = false
  while (reader.offset < bytes) {
    const box = await readBoxHead({ reader, bytes, invalid })
    if (box.name === 'meta') {
      if (hasMeta) invalid('is not a readable picture: it has two descriptions')
      hasMeta = true
      if (box.length > mostMetaBytes) invalid('is not a readable picture: its description is too long')
      const start = reader.offset + 4
      const meta = (await reader.take(box.length)).subarray(4)
      for (const [width, height] of statedSizes(meta)) {
        size(width, height)
        hasSize = true
      }
      for (const { name } of children(meta)) if (name === 'idat') hasPicture = true
      for (const { kind, at, bytes, isWhole } of findMetadataItems(meta, start)) {
        const clean = kind === 'exif' ? heifExifWithoutLocation : xmpWithoutLocation
        metadata({ at, bytes, clean: isWhole ? clean : blank })
      }
    } else {
      if (box.name === 'mdat' && box.length > 0) hasPicture = true
      if (box.name === 'moov') invalid('is an animation; send one still picture')
      await reader.skip(box.length)
    }
  }
  if (!hasSize || !hasPicture) invalid('is a file without a picture in it')
  return reader.offset
}

/** No camera cuts its metadata into pieces; what nobody can read alone may tell anything. */
function blank(piece: Uint8Array): Uint8Array | null {
  return piece.some(byte => byte !== 0) ? new Uint8Array(piece.length) : null
}

/** Length (without the head) and name of the next box: 32 bits, 64 bits when that says 1, up to the end when it says 0. */
async function readBoxHead({ reader, bytes, invalid }: Pick<Inspection, 'reader' | 'bytes' | 'invalid'>) {
  const start = reader.offset
  const head = await reader.take(8)
  let total = readUint(head, 0, 4, 'big')
  if (total === 0) total = bytes - start
  if (total === 1) {
    const long = await reader.take(8)
    total = readUint(long, 0, 4, 'big') * 2 ** 32 + readUint(long, 4, 4, 'big')
  }
  const length = total - (reader.offset - start)
  if (length < 0) invalid('is not a readable picture: a box is damaged')
  return { name: readName(head, 4), length }
}

function* statedSizes(meta: Uint8Array): Generator<readonly [width: number, height: number]> {
  for (const properties of children(meta))
    if (properties.name === 'iprp')
      for (const container of children(properties.body))
        if (container.name === 'ipco')
          for (const { name, body } of children(container.body))
            if (name === 'ispe' && body.length >= 12) yield [readUint(body, 4, 4, 'big'), readUint(body, 8, 4, 'big')]
}
