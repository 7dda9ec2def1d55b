import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { ReadableFile } from './contract.ts'
import { verifyBytes } from './verify-bytes.ts'

function fileOf(bytes: Uint8Array): ReadableFile {
  return {
    bytes: bytes.length,
    async open({ start, end } = { start: 0 }) {
      const part = Uint8Array.from(bytes.subarray(start, end === undefined ? undefined : end + 1))
      return { body: new Blob([part]).stream(), bytes: part.length, total: bytes.length }
    },
  }
}

const verdict = async (mediaType: string, bytes: Uint8Array) => await verifyBytes(mediaType)(fileOf(bytes))
const words = (text: string) => new TextEncoder().encode(text)
const png = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#456' } })
  .png()
  .toBuffer()

describe('an output of a model without a check of its own', () => {
  it('is good when it is a whole picture of the kind that was promised, or any bytes where no picture was', async () => {
    expect(await verdict('image/png', png)).toEqual({ valid: true, facts: { width: 40, height: 30 } })
    expect(await verdict('application/octet-stream', words('anything'))).toEqual({ valid: true, facts: {} })
    expect(await verdict('text/html', words('<!DOCTYPE html><p>'))).toEqual({ valid: true, facts: {} })
  })

  it.each([
    ['empty', 'application/octet-stream', new Uint8Array(0), /empty/],
    ['another kind of picture', 'image/jpeg', png, /image\/png, not image\/jpeg/],
    ['cut off', 'image/png', png.subarray(0, -9), /cut off/],
    ['no picture', 'image/webp', words('no picture at all'), /not a picture/],
    ["a proxy's page", 'application/octet-stream', words('\n <html><body>502</body></html>'), /page in HTML/],
  ])('is refused when it is %s', async (_, mediaType, bytes, message) => {
    expect(await verdict(mediaType, bytes)).toMatchObject({
      valid: false,
      failure: { code: 'output_invalid', message: expect.stringMatching(message) },
    })
  })
})
