import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { dataUriBytes, dataUriMediaType } from './data-uri.ts'

async function decode(uri: string): Promise<Buffer> {
  return Buffer.concat(await piecesOf(uri))
}

async function piecesOf(uri: string): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = []
  for await (const piece of dataUriBytes(uri)) pieces.push(piece)
  return pieces
}

describe('a data URI', () => {
  it.each([0, 1, 2, 3, 49_151, 49_152, 49_153, 200_000])('of %i bytes comes back as it was', async length => {
    const bytes = randomBytes(length)
    expect((await decode(`data:image/jpeg;base64,${bytes.toString('base64')}`)).equals(bytes)).toBe(true)
    expect((await decode(`DATA:image/jpeg;name=a.jpg;BASE64,${bytes.toString('base64url')}`)).equals(bytes)).toBe(true)
  })

  it('comes in pieces', async () => {
    const pieces = await piecesOf(`data:;base64,${randomBytes(200_000).toString('base64')}`)
    expect(pieces.length).toBeGreaterThan(3)
  })

  it.each([
    ['no data URI', 'https://photos.test/'],
    ['one without a comma', 'data:image/jpeg;base64'],
    ['one in another encoding', 'data:text/plain,abc'],
    ['foreign characters', 'data:;base64,ab*d'],
    ['padding in the middle', `data:;base64,${'A'.repeat(65_532)}====${'A'.repeat(8)}`],
    ['a line break', 'data:;base64,QUJD\nQUJD'],
  ])('is refused: %s', async (_what, uri) => {
    await expect(decode(uri)).rejects.toMatchObject({ failure: { code: 'input_invalid' } })
  })

  it('says its media type in lower case, or none', () => {
    expect(dataUriMediaType('data:Image/PNG;base64,AAAA')).toBe('image/png')
    expect(dataUriMediaType('data:;base64,AAAA')).toBeNull()
    expect(() => dataUriMediaType('https://photos.test/')).toThrow('not a data URI')
  })
})
