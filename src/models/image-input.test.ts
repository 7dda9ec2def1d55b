import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'
import { SurefootError } from '../core/failure.ts'
import type { ReadableFile } from './contract.ts'
import { createImageInput, mostPhotoBytes } from './image-input.ts'

const field = createImageInput('image')

/** A stored file that is read in pieces of `piece` bytes, and remembers how it was read. */
function fileOf(bytes: Uint8Array, piece = 1000): ReadableFile & { readonly read: { bytes: number; ended: boolean } } {
  const read = { bytes: 0, ended: false }
  return {
    bytes: bytes.length,
    read,
    async open() {
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            if (read.bytes >= bytes.length) return controller.close()
            controller.enqueue(bytes.subarray(read.bytes, read.bytes + piece))
            read.bytes = Math.min(bytes.length, read.bytes + piece)
          },
          cancel() {
            read.ended = true
          },
        },
        { highWaterMark: 0 },
      )
      return { body, bytes: bytes.length, total: bytes.length }
    },
  }
}

async function failureOf(bytes: Uint8Array): Promise<{ code: string; message: string }> {
  try {
    await field.check(fileOf(bytes))
  } catch (error) {
    if (SurefootError.is(error)) return { code: error.failure.code, message: error.failure.message }
    throw error
  }
  throw new Error('The file was accepted.')
}

/** A noisy picture, so that every format has real data to carry. */
function picture(width: number, height: number, channels: 3 | 4 = 3): Sharp {
  const data = Uint8Array.from({ length: width * height * channels }, (_, index) => (index * 2654435761) >>> 24)
  return sharp(data, { raw: { width, height, channels } })
}

/** One PNG chunk; checksums are left zero, as the inspection is of structure only. */
function pngChunk(name: string, data: Uint8Array = new Uint8Array(0)): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(data.length)
  head.write(name, 4, 'latin1')
  return Buffer.concat([head, data, Buffer.alloc(4)])
}

function pngHead(width: number, height: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), pngChunk('IHDR', header)])
}

function box(name: string, ...parts: Uint8Array[]): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + parts.reduce((sum, part) => sum + part.length, 0))
  head.write(name, 4, 'latin1')
  return Buffer.concat([head, ...parts])
}

function fileTypeBox(major: string, ...others: string[]): Buffer {
  return box('ftyp', Buffer.from(`${major}\0\0\0\0${others.join('')}`, 'latin1'))
}

/** Two frames, one above the other, as libvips takes them. */
function twoFrames(): Sharp {
  const data = Buffer.alloc(8 * 16 * 4, 255)
  data.fill(0, 0, 8 * 8 * 4)
  return sharp(data, { raw: { width: 8, height: 16, channels: 4, pageHeight: 8 } })
}

const photos: { name: string; bytes: () => Promise<Buffer> | Buffer; mediaType: string; size: [number, number] }[] = [
  { name: 'a JPEG', bytes: () => picture(67, 41).jpeg().toBuffer(), mediaType: 'image/jpeg', size: [67, 41] },
  {
    name: 'a progressive JPEG',
    bytes: () => picture(67, 41).jpeg({ progressive: true }).toBuffer(),
    mediaType: 'image/jpeg',
    size: [67, 41],
  },
  {
    name: 'a CMYK JPEG',
    bytes: () => picture(20, 30).toColourspace('cmyk').jpeg().toBuffer(),
    mediaType: 'image/jpeg',
    size: [20, 30],
  },
  {
    name: 'a JPEG with a second picture behind its end',
    bytes: async () => Buffer.concat([await picture(67, 41).jpeg().toBuffer(), await picture(9, 9).jpeg().toBuffer()]),
    mediaType: 'image/jpeg',
    size: [67, 41],
  },
  {
    name: 'a JPEG with a thumbnail in its metadata',
    bytes: async () => {
      const thumbnail = await picture(4, 4).jpeg().toBuffer()
      const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, 0]), thumbnail])
      segment.writeUInt16BE(thumbnail.length + 2, 2)
      const whole = await picture(67, 41).jpeg().toBuffer()
      return Buffer.concat([whole.subarray(0, 2), segment, whole.subarray(2)])
    },
    mediaType: 'image/jpeg',
    size: [67, 41],
  },
  { name: 'a PNG', bytes: () => picture(33, 17).png().toBuffer(), mediaType: 'image/png', size: [33, 17] },
  {
    name: 'a 16-bit PNG with alpha',
    bytes: () => picture(33, 17, 4).toColourspace('rgb16').png().toBuffer(),
    mediaType: 'image/png',
    size: [33, 17],
  },
  { name: 'a PNG of one pixel', bytes: () => picture(1, 1).png().toBuffer(), mediaType: 'image/png', size: [1, 1] },
  {
    name: 'a PNG of 1 x 8000',
    bytes: () => picture(1, 8000).png().toBuffer(),
    mediaType: 'image/png',
    size: [1, 8000],
  },
  {
    name: 'a PNG of one frame that calls itself an animation',
    bytes: () =>
      Buffer.concat([
        pngHead(5, 6),
        pngChunk('acTL', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])),
        pngChunk('IDAT', Buffer.from('pixels')),
        pngChunk('IEND'),
      ]),
    mediaType: 'image/png',
    size: [5, 6],
  },
  { name: 'a lossy WebP', bytes: () => picture(67, 41).webp().toBuffer(), mediaType: 'image/webp', size: [67, 41] },
  {
    name: 'a lossless WebP',
    bytes: () => picture(67, 41).webp({ lossless: true }).toBuffer(),
    mediaType: 'image/webp',
    size: [67, 41],
  },
  {
    name: 'a WebP with alpha and metadata',
    bytes: () =>
      picture(67, 41, 4)
        .webp()
        .withExif({ IFD0: { Artist: 'nobody' } })
        .toBuffer(),
    mediaType: 'image/webp',
    size: [67, 41],
  },
  {
    name: 'an AVIF',
    bytes: () => picture(67, 41).avif({ effort: 0 }).toBuffer(),
    mediaType: 'image/avif',
    size: [67, 41],
  },
]

describe('photos', () => {
  test.for(photos)('accepts $name, read in pieces of any size', async ({ bytes, mediaType, size: [width, height] }) => {
    const whole = await bytes()
    for (const piece of [7, 65_536])
      expect(await field.check(fileOf(whole, piece))).toMatchObject({ mediaType, facts: { width, height } })
  })

  test.for(photos)('refuses $name when its end is missing', async ({ name, bytes }) => {
    const whole = await bytes()
    const cut = name.includes('second picture') ? Math.floor(whole.length / 2) : Math.floor(whole.length * 0.9)
    expect(await failureOf(whole.subarray(0, cut))).toEqual({
      code: 'input_invalid',
      message: 'The image is cut off: its end is missing.',
    })
  })
})

const gif = Buffer.from('GIF89a\x01\0\x01\0\0\0\0;', 'latin1')
const refused: { name: string; bytes: () => Promise<Buffer> | Buffer; message: RegExp }[] = [
  { name: 'an empty file', bytes: () => Buffer.alloc(0), message: /empty file/ },
  { name: 'text', bytes: () => Buffer.from('no picture at all'), message: /not a picture/ },
  { name: 'one byte', bytes: () => Buffer.from([0xff]), message: /not a picture/ },
  { name: 'a BMP', bytes: () => Buffer.from('BM6\0\0\0\0\0\0\0\0\0\0\0'), message: /not a picture/ },
  { name: 'a still GIF', bytes: () => gif, message: /is a GIF/ },
  { name: 'an animated GIF', bytes: () => twoFrames().gif().toBuffer(), message: /is a GIF/ },
  { name: 'an animated WebP', bytes: () => twoFrames().webp().toBuffer(), message: /animation/ },
  {
    name: 'an animated PNG',
    bytes: () => Buffer.concat([pngHead(5, 5), pngChunk('acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]))]),
    message: /animation/,
  },
  {
    name: 'an animated AVIF',
    bytes: () => Buffer.concat([fileTypeBox('avis', 'avif', 'avis'), box('moov')]),
    message: /animation/,
  },
  { name: 'a video', bytes: () => Buffer.concat([fileTypeBox('isom', 'mp42'), box('moov')]), message: /video/ },
  {
    name: 'a PNG without pixels',
    bytes: () => Buffer.concat([pngHead(5, 5), pngChunk('IEND')]),
    message: /without a picture/,
  },
  { name: 'a PNG of no width', bytes: () => pngHead(0, 5), message: /0 x 5 pixels/ },
  { name: 'a JPEG without a frame', bytes: () => Buffer.from([0xff, 0xd8, 0xff, 0xd9]), message: /without a picture/ },
  {
    name: 'an AVIF whose pixels are gone',
    bytes: () =>
      Buffer.concat([
        fileTypeBox('avif', 'avif', 'mif1'),
        box(
          'meta',
          Buffer.alloc(4),
          box('iprp', box('ipco', box('ispe', Buffer.from([0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8])))),
        ),
      ]),
    message: /without a picture/,
  },
  {
    name: 'an AVIF with a description for every taste',
    bytes: () => Buffer.concat([fileTypeBox('avif'), box('meta', Buffer.alloc(4)), box('meta', Buffer.alloc(4))]),
    message: /two descriptions/,
  },
  {
    // Each piece takes a turn, and 50 MB of them would take everybody's for seconds.
    name: 'a JPEG of millions of empty pieces',
    bytes: () => Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(4_100_000, Buffer.from([0xff, 0xe1, 0, 2]))]),
    message: /more pieces/,
  },
  {
    name: 'a box that is shorter than its own head',
    bytes: () => Buffer.concat([fileTypeBox('avif'), Buffer.from([0, 0, 0, 4, 0x6d, 0x64, 0x61, 0x74])]),
    message: /damaged/,
  },
]

describe('refuses as input_invalid, in words that name the field,', () => {
  test.for(refused)('$name', async ({ bytes, message }) => {
    const failure = await failureOf(await bytes())
    expect(failure).toEqual({ code: 'input_invalid', message: expect.stringMatching(message) })
    expect(failure.message).toMatch(/^The image /)
  })
})

test('a file of fewer bytes than any picture begins with is none', async () => {
  for (let length = 1; length < 12; length++)
    expect(await failureOf(new Uint8Array(length))).toMatchObject({ code: 'input_invalid' })
})

test('a few bytes that claim 60,000 x 60,000 pixels are too large, not cut off', async () => {
  expect(await failureOf(pngHead(60_000, 60_000))).toEqual({
    code: 'input_too_large',
    message: 'The image has 60000 x 60000 pixels; at most 100 megapixels are accepted.',
  })
})

test('the last size that fits is accepted, the next is too large', async () => {
  const rest = Buffer.concat([pngChunk('IDAT', Buffer.from('pixels')), pngChunk('IEND')])
  const fits = Buffer.concat([pngHead(10_000, 10_000), rest])
  expect((await field.check(fileOf(fits))).facts).toEqual({ width: 10_000, height: 10_000 })
  expect((await failureOf(Buffer.concat([pngHead(10_000, 10_001), rest]))).code).toBe('input_too_large')
})

test('a file over the byte limit is too large without being opened', async () => {
  const huge: ReadableFile = {
    bytes: mostPhotoBytes + 1,
    open: () => Promise.reject(new Error('It was opened.')),
  }
  await expect(field.check(huge)).rejects.toMatchObject({ failure: { code: 'input_too_large' } })
})

test('a refused file is read no further and let go', async () => {
  const file = fileOf(Buffer.concat([pngHead(60_000, 60_000), Buffer.alloc(1_000_000)]))
  await expect(field.check(file)).rejects.toThrow()
  expect(file.read).toEqual({ bytes: 1000, ended: true })
})

test('damaged files are refused or accepted, never a crash', async () => {
  const whole = await Promise.all(photos.map(photo => photo.bytes()))
  const damage = fc.array(fc.record({ at: fc.nat(400), value: fc.nat(255) }), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...whole), damage, async (bytes, changes) => {
      const damaged = Buffer.from(bytes)
      for (const { at, value } of changes) damaged[at % damaged.length] = value
      const { facts } = await field.check(fileOf(damaged)).catch(error => {
        if (SurefootError.is(error) && error.failure.code.startsWith('input_')) return { facts: { width: 1 } }
        throw error
      })
      expect(facts.width).toBeGreaterThan(0)
    }),
    { numRuns: 500 },
  )
})

test('the sample photos are accepted', async () => {
  const sizes = await Promise.all(
    ['astronaut.png', 'chelsea.png', 'rocket.jpg'].map(async name => {
      const path = new URL(`../../examples/photos/${name}`, import.meta.url)
      return (await field.check(fileOf(readFileSync(path), 65_536))).facts
    }),
  )
  expect(sizes).toEqual([
    { width: 512, height: 512 },
    { width: 451, height: 300 },
    { width: 640, height: 427 },
  ])
})
