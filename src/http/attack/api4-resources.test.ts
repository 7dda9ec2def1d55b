import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { SurefootError } from '../../core/failure.ts'
import type { ReadableFile } from '../../models/contract.ts'
import { createImageInput, mostPhotoBytes } from '../../models/image-input.ts'
import { origin, png, setup } from '../test-support.ts'

/**
 * OWASP API4:2023, unrestricted resource consumption: pictures, forms and JSON that are small to send and large to hold.
 * Nothing is measured in time: counted is what is read, and of it what is asked for at once. Slow senders and readers:
 * `slow-clients.test.ts`; depth and number of JSON values: `json.test.ts`; every photo's format: `models/image-input.test.ts`.
 */
const field = createImageInput('image')
const piece = 64 * 1024

/** Checks a picture; answers its failure, or null, and how many bytes were read of it and how often it was opened. */
async function check(bytes: Uint8Array) {
  const seen = { read: 0, opened: 0, failure: null as string | null }
  const file: ReadableFile = {
    bytes: bytes.length,
    async open({ start, end = bytes.length - 1 } = { start: 0 }) {
      seen.opened += 1
      let at = start
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            if (at > end) return controller.close()
            const chunk = bytes.subarray(at, Math.min(at + piece, end + 1))
            at += chunk.length
            seen.read += chunk.length
            controller.enqueue(chunk)
          },
        },
        { highWaterMark: 0 },
      )
      return { body, bytes: end + 1 - start, total: bytes.length }
    },
  }
  await field.check(file).catch(error => {
    if (!SurefootError.is(error)) throw error
    seen.failure = error.failure.code
  })
  return seen
}

function uint(size: 2 | 3 | 4, value: number, order: 'BE' | 'LE' = 'BE'): Buffer {
  const bytes = Buffer.alloc(size)
  if (order === 'BE') bytes.writeUIntBE(value, 0, size)
  else bytes.writeUIntLE(value, 0, size)
  return bytes
}
const latin = (text: string) => Buffer.from(text, 'latin1')
const zeros = (megabytes: number) => deflateSync(Buffer.alloc(megabytes * 1_000_000))

function chunk(name: string, data: Uint8Array = Buffer.alloc(0)): Buffer {
  return Buffer.concat([uint(4, data.length), latin(name), data, Buffer.alloc(4)])
}
function pngOf(chunks: readonly Uint8Array[], width = 4, height = 4): Buffer {
  const header = Buffer.concat([uint(4, width), uint(4, height), Buffer.from([8, 6, 0, 0, 0])])
  return Buffer.concat([latin('\x89PNG\r\n\x1a\n'), chunk('IHDR', header), ...chunks])
}
const rest = [chunk('IDAT', deflateSync(Buffer.alloc(68))), chunk('IEND')]
function segment(marker: number, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0xff, marker]), uint(2, data.length + 2), data])
}
function jpegFrame(width: number, height: number): Buffer {
  return segment(0xc0, Buffer.concat([Buffer.from([8]), uint(2, height), uint(2, width), Buffer.from([1, 1, 17, 0])]))
}
const jpegStart = Buffer.from([0xff, 0xd8])
const jpegEnd = Buffer.concat([segment(0xda, Buffer.alloc(4)), Buffer.from([1, 2, 0xff, 0xd9])])
function riff(...chunks: Uint8Array[]): Buffer {
  const body = Buffer.concat([latin('WEBP'), ...chunks])
  return Buffer.concat([latin('RIFF'), uint(4, body.length, 'LE'), body])
}
function webpChunk(name: string, data: Uint8Array): Buffer {
  return Buffer.concat([latin(name), uint(4, data.length, 'LE'), data, Buffer.alloc(data.length % 2)])
}
function box(name: string, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([uint(4, 8 + body.length), latin(name), body])
}
const ispe = (width: number, height: number) => box('ispe', Buffer.alloc(4), uint(4, width), uint(4, height))
const fileType = (brand: string) => box('ftyp', latin(`${brand}\0\0\0\0mif1${brand}`))
const sizes = (...all: Uint8Array[]) => box('meta', Buffer.alloc(4), box('iprp', box('ipco', ...all)))

describe('a few bytes that claim a picture of gigabytes', () => {
  const large = 60_000
  const lossy = Buffer.concat([Buffer.from([0, 0, 0, 0x9d, 0x01, 0x2a]), uint(2, 16_383, 'LE'), uint(2, 16_383, 'LE')])
  const extended = Buffer.concat([Buffer.alloc(4), uint(3, 0xffffff, 'LE'), uint(3, 0xffffff, 'LE')])
  const tail = Buffer.alloc(10 * piece)

  test.each<[string, Uint8Array]>([
    ['PNG', pngOf([], large, large)],
    ['PNG of 2^32 - 1 each way', pngOf([], 0xffffffff, 0xffffffff)],
    ['JPEG', Buffer.concat([jpegStart, jpegFrame(65_535, 65_535)])],
    ['JPEG whose second frame does', Buffer.concat([jpegStart, jpegFrame(4, 4), jpegFrame(65_535, 65_535)])],
    ['WebP, lossy', riff(webpChunk('VP8 ', lossy))],
    ['WebP, lossless', riff(webpChunk('VP8L', Buffer.from([0x2f, 0xff, 0xff, 0xff, 0x0f])))],
    ['WebP, extended', riff(webpChunk('VP8X', extended))],
    ['AVIF', Buffer.concat([fileType('avif'), sizes(ispe(large, large))])],
    ['HEIC', Buffer.concat([fileType('heic'), sizes(ispe(large, large))])],
    [
      'HEIC of many tiles, one of which does',
      Buffer.concat([fileType('heic'), sizes(...Array(900).fill(ispe(512, 512)), ispe(0xffffffff, 1))]),
    ],
  ])('is refused at its claim, and no more of it is read: %s', async (_, head) => {
    const { failure, read, opened } = await check(Buffer.concat([head, tail]))
    expect([failure, opened]).toEqual(['input_too_large', 1])
    expect(read).toBeLessThanOrEqual(Math.ceil(head.length / piece + 1) * piece)
  })
})

describe('bombs of deflate', () => {
  const language = latin('XML:com.adobe.xmp\0\x01\0\0\0')
  const keyword = latin('XML:com.adobe.xmp\0\0')

  test.each<[string, Uint8Array]>([
    ['pixels', pngOf([chunk('IDAT', zeros(50)), chunk('IEND')])],
    ['a profile of colours', pngOf([chunk('iCCP', Buffer.concat([latin('icc\0\0'), zeros(50)])), ...rest])],
    ['text', pngOf([chunk('zTXt', Buffer.concat([latin('Comment\0\0'), zeros(50)])), ...rest])],
    ['Exif in text', pngOf([chunk('zTXt', Buffer.concat([latin('Raw profile type exif\0\0'), zeros(50)])), ...rest])],
    ['XMP in text', pngOf([chunk('zTXt', Buffer.concat([keyword, zeros(50)])), ...rest])],
    ['XMP in international text', pngOf([chunk('iTXt', Buffer.concat([language, zeros(50)])), ...rest])],
  ])('are taken for what they are in the file, and read twice at most: %s', async (_, bytes) => {
    const { failure, read } = await check(bytes)
    expect(failure).toBe(null)
    expect(read).toBeLessThanOrEqual(2 * bytes.length)
  })
})

describe('a picture of nothing but pieces', () => {
  const many = 100_000

  test.each<[string, () => Uint8Array]>([
    ['PNG texts', () => pngOf([...Array(many).fill(chunk('tEXt', latin('a\0b'))), ...rest])],
    ['PNG Exif', () => pngOf([...Array(many).fill(chunk('eXIf', latin('MM\0*'))), ...rest])],
    [
      'JPEG Exif',
      () =>
        Buffer.concat([jpegStart, ...Array(many).fill(segment(0xe1, latin('Exif\0\0MM'))), jpegFrame(4, 4), jpegEnd]),
    ],
    ['WebP Exif', () => riff(...Array(many).fill(webpChunk('EXIF', latin('MM\0*'))))],
    ['PNG Exif of 17 MB', () => pngOf([chunk('eXIf', Buffer.alloc(17_000_000)), ...rest])],
    ['a description of 5 MB', () => Buffer.concat([fileType('heic'), box('meta', Buffer.alloc(5_000_000))])],
    ['two descriptions', () => Buffer.concat([fileType('heic'), sizes(ispe(4, 4)), sizes(ispe(4, 4))])],
    ['brands without end', () => box('ftyp', latin('heic\0\0\0\0'), Buffer.alloc(5_000, 'mif1'))],
    [
      'a box longer than the file',
      () => Buffer.concat([fileType('heic'), uint(4, 1), latin('mdat'), Buffer.alloc(8, 0xff)]),
    ],
    [
      'boxes of no length',
      () => Buffer.concat([fileType('heic'), ...Array(many).fill(Buffer.concat([uint(4, 7), latin('free')]))]),
    ],
  ])('is refused, read once at most: %s', async (_, create) => {
    const bytes = create()
    const { failure, read, opened } = await check(bytes)
    expect([failure, opened]).toEqual(['input_invalid', 1])
    expect(read).toBeLessThanOrEqual(bytes.length)
  })

  test('boxes in each other, thousands deep, are a box', async () => {
    let nested: Uint8Array = box('ipco', ispe(4, 4))
    for (let depth = 0; depth < 2_000; depth++) nested = box(depth % 2 ? 'iprp' : 'ipco', nested)
    expect((await check(Buffer.concat([fileType('heic'), box('meta', Buffer.alloc(4), nested)]))).failure).toBe(
      'input_invalid',
    )
  })

  test('of more pieces than any picture has is given up', async () => {
    const bytes = Buffer.alloc(mostPhotoBytes, Buffer.concat([uint(4, 8), latin('free')]))
    fileType('heic').copy(bytes)
    expect((await check(bytes)).failure).toBe('input_invalid')
  })
})

describe('forms and fields', () => {
  const path = '/v1/models/acme/sketch/predictions'
  const part = (name: string, value: string, more = '') =>
    `--b\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`

  async function post(body: string) {
    const front = await setup()
    const headers = { 'content-type': 'multipart/form-data; boundary=b' }
    const answer = await front.send(path, { method: 'POST', headers, body: `${body}--b--\r\n` })
    const { code } = (await answer.json()) as { code?: string }
    return { status: answer.status, code, files: await front.store.listFiles({ owner: 'local', limit: 50 }) }
  }

  test.each<[string, () => string]>([
    ['101 texts', () => Array.from({ length: 101 }, (_, index) => part(`f${index}`, 'x')).join('')],
    ['17 files', () => Array.from({ length: 17 }, (_, index) => part(`f${index}`, 'x', '; filename="a.png"')).join('')],
    ['10,000 parts without a name', () => part('', '').repeat(10_000)],
    ['a text of over 20 MB', () => part('title', 'x'.repeat(20_000_001))],
    [
      'three texts of over 20 MB together',
      () => ['title', 'steps', 'image'].map(name => part(name, 'x'.repeat(7_000_000))).join(''),
    ],
  ])('of %s are refused, and leave no file', async (_, create) => {
    expect(await post(create())).toEqual({ status: 400, code: 'invalid_multipart', files: [] })
  })

  test.each([
    '1e400',
    '-1e400',
    '1e-400',
    '99999999999999999999',
    '0x10',
    'Infinity',
    'NaN',
    '-0.0000001',
    '1_0',
    '[1]',
  ])('a number is one within its range: %s', async steps => {
    expect(await post(part('steps', steps) + part('image', 'http://a.example/a.png'))).toMatchObject({ status: 422 })
    const front = await setup()
    const answer = await front.post(path, `{"input":{"image":"http://a.example/a.png","steps":${steps}}}`)
    expect([400, 422]).toContain(answer.status)
  })

  const long = 'x'.repeat(1_000_000)
  test.each<[string, string, RequestInit & { json?: unknown }]>([
    ['version', '/v1/predictions', { json: { version: long, input: {} } }],
    ['model', '/v1/predictions', { json: { model: `a/${long}`, input: {} } }],
    ['webhook', path, { json: { input: { image: 'http://a.example' }, webhook: long } }],
    ['events', path, { json: { input: {}, webhook_events_filter: Array(17).fill('start') } }],
    ['deployments', path, { json: { input: {}, surefoot: { deployments: Array(21).fill(long) } } }],
    ['key', path, { json: { input: {} }, headers: { 'idempotency-key': 'k'.repeat(256) } }],
    ['deadline', path, { json: { input: {} }, headers: { 'cancel-after': `${'9'.repeat(5_000)}s` } }],
    ['cursor', `/v1/predictions?cursor=${'a'.repeat(501)}`, {}],
    ['time', `/v1/predictions?created_after=${'9'.repeat(9_000)}`, {}],
    ['file name', '/v1/files/uploads', { json: { filename: long, type: 'image/png', bytes: 1 } }],
    ['media type', '/v1/files/uploads', { json: { filename: 'a', type: `image/${long}`, bytes: 1 } }],
    ['bytes', '/v1/files/uploads', { json: { filename: 'a', type: 'image/png', bytes: 1e300 } }],
    ['token name', '/v1/tokens', { json: { name: long } }],
  ])('of a %s without measure nothing is kept, and little is told', async (_, to, { json, ...init }) => {
    const front = await setup()
    const admin = { 'content-type': 'application/json', ...(init.headers as object) }
    const answer = await front.send(
      to,
      json === undefined ? {} : { method: 'POST', headers: admin, body: JSON.stringify(json) },
    )
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
    expect((await answer.text()).length).toBeLessThan(1_000)
    expect(front.logged.join('').length).toBeLessThan(5_000)
    expect(await front.store.list({ owner: null, limit: 9 })).toEqual([])
  })

  test('an id in an address of any length is answered in few words', async () => {
    const front = await setup()
    const answer = await front.send(`${origin}/v1/predictions/${'a'.repeat(8_000)}`)
    expect(answer.status).toBe(404)
    expect(front.logged.join('').length).toBeLessThan(1_000)
  })

  test('a photo of one pixel is none of these', async () => {
    expect((await check(png)).failure).toBe(null)
  })
})
