import { createHash } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { noLimits, type TokenLimits } from '../core/token.ts'
import { createPendingFiles } from '../engine/pending-files.ts'
import { createS3Files } from '../files/s3.ts'
import { startS3 } from '../files/test-s3.ts'
import type { UploadJson } from './browser-upload-shapes.ts'
import type { FileJson, PageJson, PredictionJson } from './shapes.ts'
import { origin, png, setup, type TestFront } from './test-support.ts'
import { addToken } from './test-tokens.ts'

type Headers = Readonly<Record<string, string>>

const asked = { filename: 'photo.png', type: 'image/png', bytes: png.length }
const other = Uint8Array.from(png, (byte, index) => (index === png.length - 1 ? byte ^ 1 : byte))

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function tell(answer: Response | Promise<Response>): Promise<readonly [number, string | undefined]> {
  const response = await answer
  const { code } = (await response.json().catch(() => ({}))) as { readonly code?: string }
  return [response.status, code]
}

function callsOf({ send, post }: Pick<TestFront, 'send' | 'post'>) {
  return {
    async begin(more: object = {}, headers: Headers = {}): Promise<UploadJson> {
      const response = await post('/v1/files/uploads', { ...asked, ...more }, headers)
      expect(response.status).toBe(201)
      return (await response.json()) as UploadJson
    },
    put: (
      url: string,
      body: NonNullable<RequestInit['body']> = png,
      headers: Headers = { 'content-type': 'image/png' },
    ) => send(url, { method: 'PUT', body, headers, duplex: 'half' } as RequestInit),
    predict: (image: string, headers: Headers = {}) =>
      post('/v1/predictions', { version: 'acme/sketch', input: { image } }, headers),
  }
}

async function withCalls(over: Parameters<typeof setup>[0] = {}) {
  const front = await setup(over)
  return { front, ...callsOf(front) }
}

/** The same front with its files in a bucket. */
async function withBucket() {
  const s3 = await startS3({ conditional: true })
  onTestFinished(s3.close)
  const plain = await setup()
  const { store, clock } = plain
  // Else links would last until an end that this machine's clock has long passed: for the second that S3 grants at least.
  const files = createS3Files(s3.options, { now: clock.now })
  let ids = 0
  const pending = createPendingFiles({ store, files, newId: () => `photo${++ids}`, now: clock.now })
  const engine = { ...plain.deps.engine, addPlace: pending.add, findFile: pending.find, putFile: pending.put }
  const front = await setup({ engine, store, clock, files })
  return { front: { ...front, store }, files, ...callsOf(front) }
}

const missing = [409, 'input_invalid'] as const
const unknown = [422, 'input_invalid'] as const

describe('a photo that a browser uploads', () => {
  test('goes to a signed address, and is an input by its id or its address', async () => {
    const { front, begin, put, predict } = await withCalls()
    const place = await begin({ metadata: { from: 'test' } })
    expect(place).toEqual({
      id: 'file1',
      upload: {
        method: 'PUT',
        url: expect.stringMatching(
          /^http:\/\/127\.0\.0\.1:8787\/v1\/files\/file1\/content\?expiry=\d+&signature=[\w-]{43}$/,
        ),
        headers: { 'content-type': 'image/png' },
      },
      expires_at: '2026-01-01T01:00:00.000Z',
      urls: { get: `${origin}/v1/files/file1` },
    })
    expect([await tell(front.send(place.urls.get)), await tell(predict(place.id))]).toEqual([missing, missing])
    expect((await front.send('/v1/files')).ok).toBe(true)
    const { status, headers } = await put(place.upload.url, png, place.upload.headers)
    expect([status, headers.get('access-control-allow-origin')]).toEqual([201, null])
    const file = (await (await front.send(place.urls.get)).json()) as FileJson
    expect(file).toMatchObject({
      ...{ id: place.id, name: 'photo.png', content_type: 'image/png', size: png.length },
      ...{ checksums: { sha256: sha256(png) }, metadata: { from: 'test' } },
    })
    for (const image of [place.id, place.urls.get]) {
      const made = await predict(image)
      const { input } = (await made.json()) as PredictionJson
      expect(made.status).toBe(201)
      expect(await (await front.send(String(input.image))).bytes()).toEqual(png)
    }
  })

  test('is an input by its id in a form without files too', async () => {
    const { front, begin, put } = await withCalls()
    const place = await begin()
    await put(place.upload.url)
    const form = new FormData()
    for (const [name, value] of Object.entries({ version: 'acme/sketch', image: place.id, steps: '7' }))
      form.set(name, value)
    const made = await front.send('/v1/predictions', { method: 'POST', body: form })
    expect([made.status, await made.json()]).toMatchObject([201, { input: { steps: 7 } }])
  })

  test('goes straight into a bucket, which holds it to its length and type, and is taken in at its first use', async () => {
    const { front, files, begin, predict } = await withBucket()
    const place = await begin()
    expect(place.upload.url).not.toContain(origin)
    const send = async (body: Uint8Array<ArrayBuffer>, type = 'image/png') =>
      (await fetch(place.upload.url, { method: 'PUT', body, headers: { 'content-type': type } })).status
    expect([await send(png.slice(1)), await send(png, 'text/html')]).toEqual([403, 403])
    expect(await tell(predict(place.id))).toEqual(missing)
    expect(await send(png)).toBe(200)
    const both = await Promise.all([predict(place.id), predict(place.id)])
    expect(both.map(({ status }) => status)).toEqual([201, 201])
    // The link still works; what it writes is nobody's.
    expect(await send(other)).toBe(200)
    const { checksums } = (await (await front.send(place.urls.get)).json()) as FileJson
    const key = (await front.store.getFile(place.id))?.key ?? ''
    expect([checksums.sha256, await new Response((await files.open(key))?.body).bytes()]).toEqual([sha256(png), png])
  })
})

describe('an upload that is not as it was announced', () => {
  test.each<[string, NonNullable<RequestInit['body']>, Headers, number]>([
    ['a stated length that differs', png, { 'content-type': 'image/png', 'content-length': '5' }, 422],
    ['fewer bytes', png.slice(1), { 'content-type': 'image/png' }, 422],
    ['more bytes', new Uint8Array(png.length + 1), { 'content-type': 'image/png' }, 413],
    ['another type', png, { 'content-type': 'text/html' }, 422],
    ['no type', png, {}, 422],
  ])('%s is refused, and the right one still taken, once', async (_, body, headers, status) => {
    const { front, begin, put } = await withCalls()
    const { upload, urls } = await begin()
    expect((await tell(put(upload.url, body, headers)))[0]).toBe(status)
    expect(await tell(front.send(urls.get))).toEqual(missing)
    expect((await put(upload.url)).status).toBe(201)
    expect(await tell(put(upload.url, other))).toEqual([409, 'already_uploaded'])
    expect(await front.send(urls.get).then(each => each.json())).toMatchObject({ checksums: { sha256: sha256(png) } })
  })

  test('nothing at all is refused', async () => {
    const { front, begin } = await withCalls()
    const { upload } = await begin()
    expect(await tell(front.send(upload.url, { method: 'PUT', headers: upload.headers }))).toEqual(unknown)
  })

  test.each<[string, object]>([
    ['no name', { filename: '' }],
    ['a type with parameters', { type: 'image/png; charset=x' }],
    ['a type that splits a header', { type: 'image/png\r\nx: y' }],
    ['no bytes', { bytes: 0 }],
    ['half a byte', { bytes: 1.5 }],
    ['endless metadata', { metadata: { a: 'x'.repeat(16_384) } }],
    ['metadata that is no object', { metadata: [] }],
    ['an owner', { owner: 'somebody' }],
    ['a key', { key: 'files/other' }],
  ])('gets no address for %s', async (_, more) => {
    const { front } = await withCalls()
    expect(await tell(front.post('/v1/files/uploads', { ...asked, ...more }))).toEqual(unknown)
  })
})

describe('the address of an upload', () => {
  test('is for one id and ends; nothing of it can be changed, and no other link is good for it', async () => {
    const { front, begin, put } = await withCalls()
    const [mine, theirs] = [await begin(), await begin()]
    const changed = (change: (url: URL) => void) => {
      const url = new URL(mine.upload.url)
      change(url)
      return tell(put(url.href))
    }
    const forged = [403, 'link_forged']
    expect(await changed(url => (url.pathname = new URL(theirs.upload.url).pathname))).toEqual(forged)
    expect(await changed(url => url.searchParams.set('expiry', '1999999999'))).toEqual(forged)
    expect(await changed(url => url.searchParams.set('signature', 'A'.repeat(43)))).toEqual(forged)
    expect(await changed(url => url.searchParams.delete('signature'))).toEqual(unknown)
    expect((await put(theirs.upload.url)).status).toBe(201)
    const { signer, clock } = front.deps
    const until = clock.now() + 1_000
    const asDownload = signer.sign(['file', 'local', mine.id], until)
    expect(await tell(put(`/v1/files/${mine.id}/content?expiry=${until / 1000}&signature=${asDownload}`))).toEqual(
      forged,
    )
    const { search } = new URL(theirs.upload.url)
    expect(await tell(front.send(`/v1/files/${theirs.id}/download${search}&owner=local`))).toEqual(forged)
    await front.clock.advance(3_600_000)
    expect(await changed(() => {})).toEqual([403, 'link_expired'])
    expect(await tell(front.send(mine.urls.get))).toEqual(missing)
    await front.clock.advance(3_600_000)
    expect(await tell(front.send(mine.urls.get))).toEqual([404, 'not_found'])
  })

  test('brings nothing back once the file is deleted', async () => {
    const { front, begin, put, predict } = await withCalls()
    const { id, upload, urls } = await begin()
    await put(upload.url)
    expect((await front.send(urls.get, { method: 'DELETE' })).status).toBe(204)
    expect(await tell(put(upload.url, other))).toEqual([404, 'not_found'])
    expect(await tell(predict(id))).toEqual(unknown)
  })

  test('needs no token and, for pages of the origins that the config names, no permission of the browser beyond CORS', async () => {
    const page = 'https://app.example'
    const { front, begin, put } = await withCalls({ corsOrigins: [page] })
    const { headers } = await addToken(front)
    const { upload } = await begin({}, headers)
    const preflight = await front.send(upload.url, {
      method: 'OPTIONS',
      headers: {
        origin: page,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'content-type',
      },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      expect.stringContaining('PUT'),
    ])
    const from = (site: string) =>
      put(upload.url, png, { ...upload.headers, origin: site, 'sec-fetch-site': 'cross-site' })
    expect(await tell(from('https://evil.example'))).toEqual([403, 'origin_refused'])
    const sent = await from(page)
    expect([sent.status, sent.headers.get('access-control-allow-origin')]).toEqual([201, page])
  })
})

describe("another's upload", () => {
  test('is as one that does not exist, filled or not, and is not taken in by whoever asks', async () => {
    const { front, begin, put, predict } = await withCalls()
    const [ann, bob] = [await addToken(front), await addToken(front)]
    const place = await begin({}, ann.headers)
    const ask = async () => [
      await tell(front.send(place.urls.get, { headers: bob.headers })),
      await tell(front.send(place.urls.get, { method: 'DELETE', headers: bob.headers })),
      await tell(predict(place.id, bob.headers)),
      await tell(predict(place.urls.get, bob.headers)),
    ]
    const nothing = [[404, 'not_found'], [404, 'not_found'], unknown, unknown]
    expect(await ask()).toEqual(nothing)
    await put(place.upload.url)
    expect(await ask()).toEqual(nothing)
    expect((await predict(place.id, ann.headers)).status).toBe(201)
  })

  test('is not in a list before it is a file', async () => {
    const { front, begin, put } = await withCalls()
    const listed = async () =>
      ((await (await front.send('/v1/files')).json()) as PageJson<FileJson>).results.map(({ id }) => id)
    const { id, upload } = await begin()
    expect(await listed()).toEqual([])
    await put(upload.url)
    expect(await listed()).toEqual([id])
  })
})

describe('the limits of a token', () => {
  async function limited(over: Partial<TokenLimits>) {
    const calls = await withCalls()
    const { headers } = await addToken(calls.front, { limits: { ...noLimits, ...over } })
    const photo = (
      bytes: Uint8Array<ArrayBuffer>,
      parts: Readonly<Record<string, string>>,
      field: string,
      path: string,
    ) => {
      const body = new FormData()
      for (const [name, value] of Object.entries(parts)) body.set(name, value)
      body.set(field, new Blob([bytes], { type: 'image/png' }), 'photo.png')
      return calls.front.send(path, { method: 'POST', headers, body })
    }
    return {
      ...calls,
      ask: (bytes: number) => tell(calls.front.post('/v1/files/uploads', { ...asked, bytes }, headers)),
      upload: (bytes: Uint8Array<ArrayBuffer>) => photo(bytes, {}, 'content', '/v1/files'),
      create: (bytes: Uint8Array<ArrayBuffer>) => photo(bytes, { version: 'acme/sketch' }, 'image', '/v1/predictions'),
    }
  }

  test('hold a file to its size, whichever way it comes', async () => {
    const { ask, upload, create } = await limited({ fileBytes: png.length - 1 })
    const large = [413, 'input_too_large']
    expect(await ask(png.length)).toEqual(large)
    expect(await ask(100_000_001)).toEqual(large)
    expect([await tell(upload(png)), await tell(create(png))]).toEqual([large, large])
    expect(await ask(png.length - 1)).toEqual([201, undefined])
  })

  test('hold all files together to what may be kept, those to come counted too', async () => {
    const { ask, upload, create } = await limited({ storedBytes: 2 * png.length })
    const full = [429, 'rate_limited']
    expect((await upload(png)).status).toBe(201)
    // The same bytes are kept once.
    expect((await upload(png)).status).toBe(201)
    expect((await ask(png.length - 1))[0]).toBe(201)
    expect(await ask(2)).toEqual(full)
    expect([await tell(upload(other)), await tell(create(other))]).toEqual([full, full])
    expect(await ask(2 * png.length + 1)).toEqual([413, 'input_too_large'])
    expect((await ask(1))[0]).toBe(201)
    expect([await tell(upload(png)), await ask(1)]).toEqual([full, full])
  })
})
