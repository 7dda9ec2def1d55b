import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../config/load-config.ts'
import { createFailure, type FailureCode, SurefootError } from '../core/failure.ts'
import { systemClock } from '../engine/clock.ts'
import { createEngine } from '../engine/engine.ts'
import { createDiskFiles, type DiskFilesOptions } from '../files/disk.ts'
import { createDownload } from '../files/download.ts'
import { createSigner } from '../files/signing.ts'
import { newId } from '../open.ts'
import type { Provider } from '../providers/contract.ts'
import type { Store } from '../store/contract.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { createApp } from './app.ts'
import type { ErrorBody, HttpCode } from './errors.ts'
import { createProviderLinks } from './links.ts'
import type { FileJson, PredictionJson } from './shapes.ts'
import { origin, png } from './test-support.ts'

/** The front as it is served, on a real data folder, with the built-in model and its real worker. */
async function setup({ write }: Pick<DiskFilesOptions, 'write'> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'surefoot-input-'))
  const config = await loadConfig({ cwd: directory, env: {} })
  const { routes, started } = countStarts(config.routes)
  const opened = await openSqliteStore({ path: join(directory, 'surefoot.db') })
  const disk = { isFull: false }
  const store: Store = {
    ...opened,
    async commit(changes) {
      if (!disk.isFull) return await opened.commit(changes)
      // As the store names it when SQLite cannot grow; files and their rows still fitted.
      throw new SurefootError(createFailure('storage_full', 'The database cannot grow: the disk is full.'))
    },
  }
  const files = createDiskFiles({ directory: join(directory, 'files'), ...(write && { write }) })
  const signer = createSigner('a secret for tests')
  const log = () => {}
  const engine = createEngine({
    name: 'test',
    alone: true,
    store,
    files,
    download: createDownload({ clock: systemClock }),
    routes,
    links: createProviderLinks(signer, null),
    serverKey: 'another secret for tests',
    clock: systemClock,
    random: Math.random,
    newId,
    fetch: () => Promise.reject(new Error('nothing is fetched here')),
    notify: async () => true,
    log,
  })
  await engine.start()
  onTestFinished(async () => {
    await engine.stop()
    await store.close()
    rmSync(directory, { recursive: true })
  })
  const app = createApp({
    engine,
    store,
    files,
    signer,
    clock: systemClock,
    publicUrl: null,
    studio: null,
    allowedHosts: ['127.0.0.1:8787'],
    log,
  })
  return {
    disk,
    send: (path: string, init?: RequestInit) => app.fetch(new Request(new URL(path, origin), init)),
    /** Everything that a request can leave behind: nothing, or what is listed. */
    async left() {
      const [predictions, rows] = await Promise.all([
        engine.list({ owner: null, limit: 10 }),
        store.listFiles({ owner: 'local', limit: 10 }),
      ])
      const bytes = readdirSync(join(directory, 'files'), { recursive: true, withFileTypes: true })
      return {
        predictions: predictions.length,
        rows: rows.length,
        files: bytes.filter(entry => entry.isFile()).length,
        starts: started(),
      }
    },
  }
}

const nothing = { predictions: 0, rows: 0, files: 0, starts: 0 }

function countStarts(routes: Awaited<ReturnType<typeof loadConfig>>['routes']) {
  let starts = 0
  function counted(provider: Provider): Provider {
    return {
      ...provider,
      start(job, io) {
        starts += 1
        return provider.start(job, io)
      },
    }
  }
  const wrapped = [...routes].map(([name, route]) => {
    const deployments = route.deployments.map(entry => ({ ...entry, provider: counted(entry.provider) }))
    return [name, { ...route, deployments }] as const
  })
  return { routes: new Map(wrapped), started: () => starts }
}

function asJson(body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text }
}

function asForm(parts: Readonly<Record<string, string | File>>, headers: Readonly<Record<string, string>> = {}) {
  const body = new FormData()
  for (const [name, value] of Object.entries(parts)) body.set(name, value)
  return { method: 'POST', headers, body } satisfies RequestInit
}

const relief = '/v1/models/surefoot/relief/predictions'
const dataUri = (bytes: Uint8Array) => `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`
const fileOf = (bytes: Uint8Array, name = 'photo.png', type = 'image/png') =>
  new File([new Uint8Array(bytes)], name, { type })

/** The ways by which a file gets in. */
const doors: readonly [string, (bytes: Uint8Array) => RequestInit][] = [
  ['as a data URI', bytes => asJson({ input: { image: dataUri(bytes) } })],
  ['in a form', bytes => asForm({ image: fileOf(bytes) })],
]

async function errorOf(response: Response): Promise<readonly [number, ErrorBody['code']]> {
  const body = (await response.json()) as ErrorBody
  expect(body.status).toBe(response.status)
  expect(body.detail).toMatch(/^.{10,300}\.$/)
  return [response.status, body.code]
}

/** A PNG's signature and header, which claim 60,000 x 60,000 pixels, in 40 bytes altogether. */
const bomb = Buffer.concat([
  Buffer.from('89504e470d0a1a0a0000000d494844520000ea600000ea600806000000', 'hex'),
  Buffer.alloc(11),
])

const gray = { create: { width: 64, height: 48, channels: 3, background: '#777' } } as const

describe.each(doors)('%s, what is no usable photo is refused and leaves nothing', (_, request) => {
  test.each<[string, () => Uint8Array | Promise<Uint8Array>, number, FailureCode]>([
    ['text', () => Buffer.from('This is not a picture, it is a sentence.'), 422, 'input_invalid'],
    ['0 bytes', () => Buffer.alloc(0), 422, 'input_invalid'],
    [
      'a JPEG that is cut off',
      async () => (await sharp(gray).jpeg().toBuffer()).subarray(0, -20),
      422,
      'input_invalid',
    ],
    ['a PNG that is cut off', () => png.subarray(0, -20), 422, 'input_invalid'],
    ['40 bytes that claim 60,000 x 60,000 pixels', () => bomb, 413, 'input_too_large'],
    ['an animated GIF', createAnimation, 422, 'input_invalid'],
  ])('%s', async (_, create, status, code) => {
    const { send, left } = await setup()
    expect(await errorOf(await send(relief, request(await create())))).toEqual([status, code])
    expect(await left()).toEqual(nothing)
  })
})

describe('an odd photo is a photo: it becomes a verified splat', () => {
  test.each<[string, () => Promise<Uint8Array>, string, string]>([
    ['a CMYK JPEG', () => sharp(gray).toColourspace('cmyk').jpeg().toBuffer(), 'print.jpg', 'image/jpeg'],
    ['a 16-bit PNG with alpha', createDeepPng, 'deep.png', 'image/png'],
    ['1 x 1', async () => png, 'dot.png', 'image/png'],
    [
      '1 x 8000',
      () =>
        sharp({ create: { ...gray.create, width: 1, height: 8000 } })
          .png()
          .toBuffer(),
      'line.png',
      '',
    ],
    ['a JPEG called .png', () => sharp(gray).jpeg().toBuffer(), 'photo.png', 'image/png'],
    ['a PNG called .txt', () => sharp(gray).png().toBuffer(), 'notes.txt', 'text/plain'],
  ])('%s', async (_, create, name, type) => {
    const { send } = await setup()
    const response = await send(relief, asForm({ image: fileOf(await create(), name, type) }, { prefer: 'wait=60' }))
    const prediction = (await response.json()) as PredictionJson
    expect([response.status, prediction.status, prediction.error]).toEqual([201, 'succeeded', null])
    const output = await send(prediction.output ?? '')
    expect(output.status).toBe(200)
    const bytes = Buffer.from(await output.arrayBuffer())
    expect(bytes.toString('latin1', 0, 4)).toBe('ply\n')
    expect(bytes.length).toBe(prediction.surefoot.output?.bytes)
    expect(prediction.surefoot.output?.facts.count).toBeGreaterThan(0)
  })
})

test('damage that only a decoder finds ends the prediction as input_invalid, after one attempt', async () => {
  const { send } = await setup()
  const body = asForm({ image: fileOf(breakPixels(await sharp(gray).png().toBuffer())) }, { prefer: 'wait=60' })
  const response = await send(relief, body)
  const prediction = (await response.json()) as PredictionJson
  expect([response.status, prediction.status, prediction.surefoot.failure?.code]).toEqual([
    201,
    'failed',
    'input_invalid',
  ])
  const attempts = await send(`/v1/predictions/${prediction.id}/attempts`)
  expect(await attempts.json()).toMatchObject({ attempts: [{ number: 1, state: 'failed' }] })
})

describe('a request that cannot work is refused and leaves nothing', () => {
  const image = dataUri(png)
  const tooLong = () => Buffer.concat([png, Buffer.alloc(50_000_001 - png.length)])

  test.each<[string, string, () => RequestInit, number, FailureCode | HttpCode]>([
    [
      'an unknown model in the path',
      '/v1/models/acme/none/predictions',
      () => asJson({ input: { image } }),
      404,
      'not_found',
    ],
    [
      'an unknown model in the body',
      '/v1/predictions',
      () => asJson({ version: 'acme/none', input: { image } }),
      422,
      'input_invalid',
    ],
    [
      'an unknown version',
      '/v1/predictions',
      () => asJson({ version: '0'.repeat(64), input: { image } }),
      422,
      'input_invalid',
    ],
    ['an unknown field of the input', relief, () => asJson({ input: { image, sharpness: 1 } }), 422, 'input_invalid'],
    ['an unknown field of a form', relief, () => asForm({ image: fileOf(png), sharpness: '1' }), 422, 'input_invalid'],
    [
      'a file under an unknown name',
      relief,
      () => asForm({ image: fileOf(png), mask: fileOf(png) }),
      422,
      'input_invalid',
    ],
    ['an unknown key of the body', relief, () => asJson({ input: { image }, priority: 1 }), 422, 'input_invalid'],
    [
      'a field of the wrong type',
      relief,
      () => asJson({ input: { image, focal_length: 'wide' } }),
      422,
      'input_invalid',
    ],
    ['a field out of range', relief, () => asForm({ image: fileOf(png), focal_length: '0' }), 422, 'input_invalid'],
    ['a photo that is a number', relief, () => asJson({ input: { image: 42 } }), 422, 'input_invalid'],
    ['a photo that is null', relief, () => asJson({ input: { image: null } }), 422, 'input_invalid'],
    ['no photo', relief, () => asJson({ input: {} }), 422, 'input_invalid'],
    ['an input that is a list', relief, () => asJson({ input: [image] }), 422, 'input_invalid'],
    [
      'a data URI that is not base64',
      relief,
      () => asJson({ input: { image: 'data:image/png;base64,???' } }),
      422,
      'input_invalid',
    ],
    [
      'a photo at a private address',
      relief,
      () => asJson({ input: { image: 'http://169.254.169.254/a.png' } }),
      422,
      'input_invalid',
    ],
    [
      'a photo in a file of this machine',
      relief,
      () => asJson({ input: { image: 'file:///etc/passwd' } }),
      422,
      'input_invalid',
    ],
    [
      'a file of ours that does not exist',
      relief,
      () => asJson({ input: { image: `${origin}/v1/files/none` } }),
      422,
      'input_invalid',
    ],
    ['invalid JSON', relief, () => asJson('{"input":'), 400, 'invalid_json'],
    [
      'JSON that is not UTF-8',
      relief,
      () => ({ ...asJson(''), body: Buffer.from('{"a":"\xff"}', 'latin1') }),
      400,
      'invalid_json',
    ],
    [
      'JSON that is called text',
      relief,
      () => asJson('{}', { 'content-type': 'text/plain' }),
      415,
      'unsupported_media_type',
    ],
    ['a form without its end', relief, createCutForm, 400, 'invalid_multipart'],
    ['JSON of over 20 MB', relief, () => asJson({ input: { image: 'x'.repeat(20_000_000) } }), 413, 'input_too_large'],
    ['a photo of over 50 MB', relief, () => asForm({ image: fileOf(tooLong()) }), 413, 'input_too_large'],
    ['a wait without end', relief, () => asJson({ input: { image } }, { prefer: 'wait=600' }), 422, 'input_invalid'],
    [
      'a deadline of no time',
      relief,
      () => asJson({ input: { image } }, { 'cancel-after': '0s' }),
      422,
      'input_invalid',
    ],
  ])('%s', async (_, path, init, status, code) => {
    const { send, left } = await setup()
    expect(await errorOf(await send(path, init()))).toEqual([status, code])
    expect(await left()).toEqual(nothing)
  })

  test('an uploaded file stays what it was when a prediction of it is refused', async () => {
    const { send, left } = await setup()
    const upload = await send('/v1/files', asForm({ content: fileOf(new Uint8Array()) }))
    const { urls } = (await upload.json()) as FileJson
    expect(await errorOf(await send(relief, asJson({ input: { image: urls.get } })))).toEqual([422, 'input_invalid'])
    expect(await left()).toEqual({ ...nothing, rows: 1, files: 1 })
  })
})

describe('predictions that are not there, or over', () => {
  test.each([
    ['GET', '/v1/predictions/none'],
    ['POST', '/v1/predictions/none/cancel'],
    ['GET', '/v1/predictions/none/events'],
    ['GET', '/v1/predictions/none/attempts'],
  ])('an unknown id is 404: %s %s', async (method, path) => {
    const { send } = await setup()
    expect(await errorOf(await send(path, { method }))).toEqual([404, 'not_found'])
  })

  test('cancel of a finished prediction is 200 and changes nothing', async () => {
    const { send, left } = await setup()
    const created = await send(relief, asForm({ image: fileOf(png) }, { prefer: 'wait=60' }))
    const finished = (await created.json()) as PredictionJson
    expect(finished.status).toBe('succeeded')
    const canceled = await send(`/v1/predictions/${finished.id}/cancel`, { method: 'POST' })
    expect(canceled.status).toBe(200)
    expect(await canceled.json()).toMatchObject({ status: 'succeeded', completed_at: finished.completed_at })
    expect(await left()).toEqual({ predictions: 1, rows: 1, files: 2, starts: 1 })
  })
})

describe('on a full disk nothing is started, and nothing half written stays', () => {
  const write = async () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }

  test.each([
    ...doors.map(([name, request]) => [name, relief, request(png)] as const),
    ['as an upload', '/v1/files', asForm({ content: fileOf(png) })] as const,
  ])('a file %s that does not fit is 507', async (_, path, init) => {
    const { send, left } = await setup({ write })
    expect(await errorOf(await send(path, init))).toEqual([507, 'storage_full'])
    expect(await left()).toEqual(nothing)
  })

  test.each(doors)('a prediction with its file %s that the database has no room for is 507', async (_, request) => {
    const { send, left, disk } = await setup()
    disk.isFull = true
    expect(await errorOf(await send(relief, request(png)))).toEqual([507, 'storage_full'])
    expect(await left()).toEqual(nothing)
    disk.isFull = false
    const response = await send(relief, asForm({ image: fileOf(png) }, { prefer: 'wait=60' }))
    expect(await response.json()).toMatchObject({ status: 'succeeded' })
  })
})

async function createAnimation(): Promise<Uint8Array> {
  const frames = await Promise.all(
    ['#f00', '#00f'].map(background =>
      sharp({ create: { ...gray.create, background } })
        .png()
        .toBuffer(),
    ),
  )
  return await sharp(frames, { join: { animated: true } })
    .gif()
    .toBuffer()
}

async function createDeepPng(): Promise<Uint8Array> {
  const pixels = Uint16Array.from({ length: 48 * 32 * 4 }, (_, index) => (index * 2_654_435) % 65_536)
  const bytes = await sharp(pixels, { raw: { width: 48, height: 32, channels: 4 } })
    .toColourspace('rgb16')
    .png()
    .toBuffer()
  const { depth, hasAlpha } = await sharp(bytes).metadata()
  expect([depth, hasAlpha]).toEqual(['ushort', true])
  return bytes
}

/** The same chunks with other bytes in the picture: whoever does not decode it sees nothing. */
function breakPixels(bytes: Buffer): Uint8Array {
  const at = bytes.indexOf('IDAT') + 4
  return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(30, 0xff), bytes.subarray(at + 30)])
}

function createCutForm(): RequestInit {
  const head = '--cut\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
  return {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=cut' },
    body: Buffer.concat([Buffer.from(head), png]),
  }
}
