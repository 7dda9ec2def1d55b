import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import exifr from 'exifr'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { createImageInput } from '../models/image-input.ts'
import { convertHeic } from './convert-heic.ts'

/** 400 x 267 in a coded picture of 400 x 268, of the sample photo, with a lens and coordinates; encoded once by libheif's own encoder, which npm lacks. */
const heic = await readFile(new URL('test-photo.heic', import.meta.url))
const sample = join(import.meta.dirname, '../../examples/photos/rocket.jpg')

async function convert(bytes: Uint8Array, signal = new AbortController().signal): Promise<Buffer> {
  return await buffer(convertHeic(new Blob([Uint8Array.from(bytes)]).stream(), signal))
}

describe('a HEIC photo', () => {
  it('is known by its content, and is to be converted', async () => {
    const file = {
      bytes: heic.length,
      open: async () => ({ body: new Blob([Uint8Array.from(heic)]).stream(), bytes: heic.length, total: heic.length }),
    }
    expect(await createImageInput('image').check(file)).toEqual({
      mediaType: 'image/heic',
      facts: { width: 400, height: 268 },
      convert: 'heic',
    })
  })

  it('becomes the same picture as JPEG, with its lens and without coordinates', async () => {
    expect(heic.includes('Exif')).toBe(true)
    const jpeg = await convert(heic)
    const tags = await exifr.parse(jpeg)
    expect(tags).toMatchObject({ Make: 'Surefoot', FocalLength: 6.86, FocalLengthIn35mmFormat: 24 })
    expect(tags).not.toHaveProperty('latitude')
    const small = { width: 40, height: 27, fit: 'fill' } as const
    const [pixels, original] = await Promise.all([
      sharp(jpeg).resize(small).raw().toBuffer(),
      sharp(sample).resize(small).raw().toBuffer(),
    ])
    const error = pixels.reduce((sum, value, index) => sum + Math.abs(value - (original[index] ?? 0)), 0)
    expect(error / pixels.length).toBeLessThan(8)
  })

  it('that is damaged is refused as an input', async () => {
    const damaged = Buffer.from(heic)
    damaged.fill(0, 600)
    for (const bytes of [damaged, heic.subarray(0, 1000), Buffer.alloc(0)])
      await expect(convert(bytes)).rejects.toMatchObject({ failure: { code: 'input_invalid' } })
  })

  it('is given up with its caller', async () => {
    const caller = new AbortController()
    const converting = convert(heic, caller.signal)
    caller.abort(new Error('gone'))
    await expect(converting).rejects.toThrow('gone')
  })
})
