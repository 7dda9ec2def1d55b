import { buffer } from 'node:stream/consumers'
import exifr from 'exifr'
import fc from 'fast-check'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'
import { redact } from '../../engine/redact.ts'
import type { ReadableFile } from '../contract.ts'
import { createImageInput } from '../image-input.ts'
import { findMetadataItems } from './heif-items.ts'
import {
  exifWithoutLocation,
  heifExifWithoutLocation,
  pngChunkWithoutLocation,
  xmpWithoutLocation,
} from './location.ts'

const field = createImageInput('image')
const place = {
  GPSLatitudeRef: 'N',
  GPSLatitude: '28/1 36/1 3012/100',
  GPSLongitudeRef: 'W',
  GPSLongitude: '80/1 36/1 16/1',
}
const lens = { FocalLength: '686/100', FocalLengthIn35mmFilm: '24' }
const xmp = (about: string) =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description ${about}/></rdf:RDF></x:xmpmeta>`
const xmpPlace = xmp('xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="28,36.5N"')

function plainPhoto(): Sharp {
  const data = Uint8Array.from({ length: 40 * 30 * 3 }, (_, index) => (index * 2654435761) >>> 24)
  return sharp(data, { raw: { width: 40, height: 30, channels: 3 } }).withExif({ IFD2: lens })
}

function photo(): Sharp {
  return plainPhoto().withExif({ IFD0: { Make: 'Maker', Model: 'Phone' }, IFD2: lens, IFD3: place })
}

function fileOf(bytes: Uint8Array): ReadableFile {
  return {
    bytes: bytes.length,
    async open({ start, end } = { start: 0 }) {
      const part = bytes.subarray(start, end === undefined ? undefined : end + 1)
      return { body: new Blob([Uint8Array.from(part)]).stream(), bytes: part.length, total: bytes.length }
    },
  }
}

/** The file as it would be sent, and what was said of it. */
async function sent(bytes: Uint8Array) {
  const { facts, without } = await field.check(fileOf(bytes))
  const { body } = await fileOf(bytes).open()
  const clean = without === undefined ? bytes : await buffer(redact(body, without))
  return { clean, facts, isChanged: without !== undefined }
}

async function tagsOf(bytes: Uint8Array): Promise<Record<string, unknown>> {
  const { exif } = await sharp(bytes).metadata()
  return (
    (await exifr.parse((exif ?? Buffer.alloc(0)).subarray(exif?.toString('latin1', 0, 4) === 'Exif' ? 6 : 0))) ?? {}
  )
}

const formats: readonly (readonly [string, (photo: Sharp) => Sharp])[] = [
  ['JPEG', photo => photo.jpeg()],
  ['PNG', photo => photo.png()],
  ['WebP', photo => photo.webp()],
  ['AVIF', photo => photo.avif({ effort: 0 })],
]

describe('the coordinates of a photo', () => {
  test.each(formats)('go from a %s; its lens and its pixels stay', async (_, encode) => {
    const bytes = await encode(photo()).toBuffer()
    expect(await tagsOf(bytes)).toMatchObject({ latitude: expect.closeTo(28.6084, 4), GPSLongitudeRef: 'W' })
    const { clean, facts } = await sent(bytes)
    expect(facts).toEqual({ width: 40, height: 30, location_removed: true })
    expect(clean.length).toBe(bytes.length)
    const tags = await tagsOf(clean)
    expect(tags).toMatchObject({ Make: 'Maker', Model: 'Phone', FocalLength: 6.86, FocalLengthIn35mmFormat: 24 })
    expect(Object.keys(tags).filter(name => /GPS|latitude|longitude/.test(name))).toEqual([])
    // The numbers themselves are overwritten, not only what points to them.
    const seconds = Buffer.from([0xc4, 0x0b, 0, 0, 100, 0, 0, 0])
    expect([bytes.includes(seconds), Buffer.from(clean).includes(seconds)]).toEqual([true, false])
    expect(await sharp(clean).raw().toBuffer()).toEqual(await sharp(bytes).raw().toBuffer())
    expect((await sent(clean)).isChanged).toBe(false)
  })

  test.each(formats)('go from the XMP of a %s too', async (_, encode) => {
    const bytes = await encode(plainPhoto()).withXmp(xmpPlace).toBuffer()
    expect((await sharp(bytes).metadata()).xmpAsString).toContain('GPSLatitude="28')
    const { clean, facts } = await sent(bytes)
    expect(facts).toMatchObject({ location_removed: true })
    expect((await sharp(clean).metadata()).xmpAsString ?? '').not.toContain('GPS')
    expect(await sharp(clean).raw().toBuffer()).toEqual(await sharp(bytes).raw().toBuffer())
  })

  test.each(formats)('that a %s does not tell change nothing', async (_, encode) => {
    const without = xmp('xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="A rocket"')
    const bytes = await encode(plainPhoto()).withXmp(without).toBuffer()
    expect(await sent(bytes)).toMatchObject({ clean: bytes, facts: { width: 40, height: 30 }, isChanged: false })
  })

  test('go with what follows the picture', async () => {
    const picture = await sharp(await photo().jpeg().toBuffer())
      .jpeg()
      .toBuffer()
    const { clean, facts } = await sent(Buffer.concat([picture, await photo().jpeg().toBuffer()]))
    expect([clean, facts]).toEqual([picture, { width: 40, height: 30 }])
  })
})

test.each([
  ['UTF-8', (text: string) => Buffer.from(text)],
  ['UTF-16, little end first', (text: string) => Buffer.from(text, 'utf16le')],
  ['UTF-16, big end first', (text: string) => Buffer.from(text, 'utf16le').swap16()],
  ['UTF-32', (text: string) => Buffer.from(Uint32Array.from(text, letter => letter.charCodeAt(0)).buffer)],
  [
    'UTF-32, the other end first',
    (text: string) => Buffer.from(Uint32Array.from(text, letter => letter.charCodeAt(0)).buffer).swap32(),
  ],
])('coordinates in XMP are found in %s, and nothing else is', (_, encode) => {
  expect(xmpWithoutLocation(encode(xmpPlace))).toEqual(new Uint8Array(encode(xmpPlace).length).fill(0x20))
  expect(xmpWithoutLocation(encode(xmp('dc:title="G P S"')))).toBe(null)
})

test('metadata of a HEIF file that stand in pieces go as a whole', () => {
  const box = (name: string, ...parts: Uint8Array[]) => {
    const head = Buffer.alloc(8)
    head.writeUInt32BE(8 + parts.reduce((sum, part) => sum + part.length, 0))
    head.write(name, 4, 'latin1')
    return Buffer.concat([head, ...parts])
  }
  const item = box('infe', Buffer.from([2, 0, 0, 0, 0, 1, 0, 0]), Buffer.from('Exif\0'))
  // Offsets and lengths of four bytes, one item, two extents.
  const location = Buffer.from([
    0, 0, 0, 0, 0x44, 0, 0, 1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 100, 0, 0, 0, 7, 0, 0, 0, 200, 0, 0, 0, 9,
  ])
  const meta = Buffer.concat([box('iinf', Buffer.from([0, 0, 0, 0, 0, 1]), item), box('iloc', location)])
  expect([...findMetadataItems(meta, 0)]).toEqual([
    { kind: 'exif', at: 100, bytes: 7, isWhole: false },
    { kind: 'exif', at: 200, bytes: 9, isWhole: false },
  ])
})

describe('metadata that are damaged', () => {
  const bytes = fc.uint8Array({ maxLength: 400 })
  const damaged = fc
    .tuple(fc.constantFrom('II*\0', 'MM\0*', 'Exif\0\0II*\0'), bytes)
    .map(([head, rest]) => Uint8Array.from([...Buffer.from(head, 'latin1'), ...rest]))

  test('are never made longer, never read beyond their end, never a reason to fail', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, damaged), piece => {
        for (const clean of [exifWithoutLocation, xmpWithoutLocation, heifExifWithoutLocation]) {
          const before = Uint8Array.from(piece)
          const after = clean(piece)
          expect(piece).toEqual(before)
          if (after !== null) expect(after.length).toBe(piece.length)
        }
        if (piece.length >= 8) expect(pngChunkWithoutLocation(piece)?.length ?? piece.length).toBe(piece.length)
      }),
    )
  })

  test('whose directories lead in a circle end', () => {
    const circle = Buffer.alloc(26)
    circle.write('II*\0', 'latin1')
    circle.writeUInt32LE(8, 4)
    circle.writeUInt16LE(1, 8)
    circle.writeUInt32LE(8, 22)
    expect(exifWithoutLocation(circle)).toBe(null)
  })
})
