import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SurefootError } from '../../core/failure.ts'
import { type Photo, readPhoto } from './photo.ts'

let folder: string
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'surefoot-photo-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function save(content: Sharp | Uint8Array): Promise<string> {
  const path = join(folder, String(files++))
  await writeFile(path, content instanceof Uint8Array ? content : await content.toBuffer())
  return path
}

async function codeOf(path: string, options?: Parameters<typeof readPhoto>[1]): Promise<string> {
  const error = await readPhoto(path, options).then(
    () => null,
    (reason: unknown) => reason,
  )
  return SurefootError.is(error) ? error.failure.code : String(error)
}

/** Red above left, green above right, blue below left, white below right. */
function quarters(width = 48, height = 32): Sharp {
  const data = Buffer.alloc(width * height * 3)
  const colours = [0xff0000, 0x00ff00, 0x0000ff, 0xffffff]
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      data.writeUIntBE(colours[(y < height / 2 ? 0 : 2) + (x < width / 2 ? 0 : 1)] ?? 0, (y * width + x) * 3, 3)
  return sharp(data, { raw: { width, height, channels: 3 } })
}

function plain(background: string, channels: 3 | 4 = 3, width = 48, height = 32): Sharp {
  return sharp({ create: { width, height, channels, background } })
}

/** Colour in the middle of each quarter as letters, left to right, top to bottom. */
function letters({ width, height, data }: Photo): string {
  return [0.25, 0.75]
    .flatMap(y => [0.25, 0.75].map(x => 3 * (Math.floor(y * height) * width + Math.floor(x * width))))
    .map(at => [...data.subarray(at, at + 3)].map(value => (value > 128 ? 1 : 0)).join(''))
    .map(bits => ({ '100': 'r', '010': 'g', '001': 'b', '111': 'w' })[bits] ?? '?')
    .join('')
}

function near(actual: Uint8Array, expected: readonly number[], within: number): void {
  for (const [index, value] of expected.entries())
    expect(Math.abs((actual[index] ?? NaN) - value), `${[...actual.subarray(0, 3)]}`).toBeLessThanOrEqual(within)
}

test.each(['jpeg', 'png', 'webp', 'avif'] as const)('decodes %s', async format => {
  const photo = await readPhoto(await save(quarters().toFormat(format)))
  expect(photo).toMatchObject({ width: 48, height: 32, originalWidth: 48, originalHeight: 32 })
  expect(photo.data.length).toBe(48 * 32 * 3)
  expect(letters(photo)).toBe('rgbw')
})

test.each([
  [1, 'rgbw'],
  [2, 'grwb'],
  [3, 'wbgr'],
  [4, 'bwrg'],
  [5, 'rbgw'],
  [6, 'brwg'],
  [7, 'wgbr'],
  [8, 'gwrb'],
])('honours EXIF orientation %i', async (orientation, expected) => {
  const photo = await readPhoto(await save(quarters().withMetadata({ orientation }).png()))
  const [width, height] = orientation < 5 ? [48, 32] : [32, 48]
  expect(photo).toMatchObject({ width, height, originalWidth: width, originalHeight: height })
  expect(letters(photo)).toBe(expected)
})

test.each([
  ['transparent pixels become white', () => plain('#ff000000', 4).png(), [255, 255, 255], 0],
  [
    'half transparent ones are mixed with white',
    () => plain('#ff000080', 4).webp({ lossless: true }),
    [255, 127, 127],
    1,
  ],
  ['grey', () => plain('#808080').toColourspace('b-w').png(), [128, 128, 128], 1],
  ['16 bit', () => plain('#408020').toColourspace('rgb16').png(), [64, 128, 32], 1],
  ['16-bit grey', () => plain('#808080').toColourspace('grey16').png(), [128, 128, 128], 1],
  ['palette', () => plain('#408020').png({ palette: true }), [64, 128, 32], 1],
  ['CMYK', () => plain('#408020').toColourspace('cmyk').jpeg(), [64, 128, 32], 20],
  ['a wider profile', () => plain('#408020').withIccProfile('p3').png(), [64, 128, 32], 2],
])('converts to 8-bit sRGB: %s', async (_, image, expected, within) => {
  const photo = await readPhoto(await save(image()))
  expect(photo.data.length).toBe(photo.width * photo.height * 3)
  near(photo.data, expected, within)
})

test('makes the long side at most maxSide, and no side zero', async () => {
  const large = await readPhoto(await save(plain('#123456', 3, 3000, 2000).jpeg()))
  expect(large).toMatchObject({ width: 1536, height: 1024, originalWidth: 3000, originalHeight: 2000 })
  const thin = await readPhoto(await save(plain('#123456', 3, 1, 8000).png()), { maxSide: 100 })
  expect(thin).toMatchObject({ width: 1, height: 100, originalWidth: 1, originalHeight: 8000 })
  expect(await readPhoto(await save(plain('#123456', 3, 1, 1).png()))).toMatchObject({ width: 1, height: 1 })
})

const diagonal = Math.hypot(48, 32) / Math.hypot(36, 24)
test.each([
  ['the 35 mm equivalent first', { FocalLengthIn35mmFilm: '26', FocalLength: '6/1' }, null, 26, 'exif-35mm'],
  ['a focal length of a phone times 8.4', { FocalLength: '5/1' }, null, 42, 'exif'],
  ['a focal length of a camera as it is', { FocalLength: '50/1' }, null, 50, 'exif'],
  ['an equivalent of zero is none', { FocalLengthIn35mmFilm: '0', FocalLength: '50/1' }, null, 50, 'exif'],
  ['a focal length of zero is none', { FocalLength: '0/1' }, null, 30, 'default'],
  ['30 mm without either', { LensModel: 'x' }, null, 30, 'default'],
  ["the caller's before all", { FocalLengthIn35mmFilm: '26' }, 100, 100, 'input'],
] as const)('focal length: %s', async (_, IFD2, focalLength35mm, mm, focalSource) => {
  for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
    const path = await save(plain('#123456').withExif({ IFD2 }).toFormat(format))
    const photo = await readPhoto(path, { focalLength35mm, maxSide: 24 })
    expect(photo.focalSource).toBe(focalSource)
    // In pixels of the original, although the photo was made smaller.
    expect(photo.focalPx).toBeCloseTo(mm * diagonal, 8)
  }
})

test('a focal length that is none is refused', async () => {
  const path = await save(plain('#123456').png())
  for (const focalLength35mm of [0, -1, NaN, Infinity])
    expect(await codeOf(path, { focalLength35mm })).toBe('input_invalid')
})

test('other formats never reach a decoder', async () => {
  expect(await codeOf(await save(plain('#123456').gif()))).toBe('input_invalid')
  expect(await codeOf(await save(plain('#123456').tiff()))).toBe('input_invalid')
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
  expect(await codeOf(await save(Buffer.from(svg)))).toBe('input_invalid')
  expect(await codeOf(await save(new Uint8Array()))).toBe('input_invalid')
})

test('an animation is refused instead of losing all frames but one', async () => {
  const frames = Buffer.concat([Buffer.alloc(48 * 32 * 3), Buffer.alloc(48 * 32 * 3, 255)])
  const raw = { width: 48, height: 64, channels: 3, pageHeight: 32 } as const
  expect(await codeOf(await save(sharp(frames, { raw }).webp({ loop: 0, delay: [10, 10] })))).toBe('input_invalid')
})

test.each(['jpeg', 'png', 'webp', 'avif'] as const)('a cut %s is refused', async format => {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const
  const whole = await sharp({ create: { width: 400, height: 300, channels: 3, background: '#000', noise } })
    .toFormat(format)
    .toBuffer()
  expect(await codeOf(await save(whole))).toBe('null')
  for (const share of [0.1, 0.5, 0.9])
    expect(await codeOf(await save(whole.subarray(0, Math.floor(whole.length * share))))).toBe('input_invalid')
})

test('more than 100 megapixels are refused by the header, however small the file', async () => {
  const png = await plain('#123456', 3, 1, 1).png().toBuffer()
  // A header that promises 20,000 x 20,000 pixels, with the checksum that belongs to it.
  png.writeUInt32BE(20_000, 16)
  png.writeUInt32BE(20_000, 20)
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
  expect(await codeOf(await save(png))).toBe('input_too_large')
})
