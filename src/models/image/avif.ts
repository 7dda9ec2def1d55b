import { readName, readUint } from './byte-reader.ts'
import type { Inspection } from './inspection.ts'

/** Item properties of a picture with thousands of tiles fit in well under this. */
const mostMetaBytes = 4 * 1024 * 1024

/** Brands of HEVC pictures and sequences (ISO/IEC 23008-12, annex B) and of AVIF (AVIF 1.1, section 6). */
const hevcBrands = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs']

/**
 * AVIF: ISO boxes; `ftyp` names the brands, `meta` holds each item's size in an `ispe` property, `mdat` (or `idat`
 * inside `meta`) the coded picture. The largest `ispe` is the picture itself: tiles and thumbnails are smaller.
 */
export async function inspectAvif({ reader, bytes, size, invalid }: Inspection): Promise<void> {
  let hasSize = false
  let hasPicture = false
  let hasMeta = false
  while (reader.offset < bytes) {
    const box = await readBoxHead({ reader, bytes, invalid })
    if (box.name === 'ftyp') {
      if (box.length > 4096) invalid('is not a readable picture: its list of brands is damaged')
      checkBrands(await reader.take(box.length), invalid)
    } else if (box.name === 'meta') {
      if (hasMeta) invalid('is not a readable AVIF: it has two descriptions')
      hasMeta = true
      if (box.length > mostMetaBytes) invalid('is not a readable AVIF: its description is too long')
      const meta = (await reader.take(box.length)).subarray(4)
      for (const [width, height] of statedSizes(meta)) {
        size(width, height)
        hasSize = true
      }
      for (const { name } of children(meta)) if (name === 'idat') hasPicture = true
    } else {
      if (box.name === 'mdat' && box.length > 0) hasPicture = true
      if (box.name === 'moov') invalid('is an animation; send one still picture')
      await reader.skip(box.length)
    }
  }
  if (!hasSize || !hasPicture) invalid('is an AVIF without a picture in it')
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

function checkBrands(fileType: Uint8Array, invalid: Inspection['invalid']): void {
  const brands: string[] = []
  for (let at = 0; at + 4 <= fileType.length; at += 4) if (at !== 4) brands.push(readName(fileType, at))
  if (brands.includes('avis')) invalid('is an animation; send one still picture')
  if (brands.includes('avif')) return
  if (brands.some(brand => hevcBrands.includes(brand)) || brands.includes('mif1'))
    invalid('is a HEIC photo, which is not supported yet; export it as JPEG')
  invalid('is a video or another kind of file; send a JPEG, PNG, WebP or AVIF photo')
}

function* statedSizes(meta: Uint8Array): Generator<readonly [width: number, height: number]> {
  for (const properties of children(meta))
    if (properties.name === 'iprp')
      for (const container of children(properties.body))
        if (container.name === 'ipco')
          for (const { name, body } of children(container.body))
            if (name === 'ispe' && body.length >= 12) yield [readUint(body, 4, 4, 'big'), readUint(body, 8, 4, 'big')]
}

/** One by one: half a million boxes fit into the longest description. */
function* children(body: Uint8Array): Generator<{ readonly name: string; readonly body: Uint8Array }> {
  for (let at = 0; at + 8 <= body.length; ) {
    const total = readUint(body, at, 4, 'big')
    if (total < 8 || at + total > body.length) break
    yield { name: readName(body, at + 4), body: body.subarray(at + 8, at + total) }
    at += total
  }
}
