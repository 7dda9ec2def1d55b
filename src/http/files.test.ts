import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { StoredOutput } from '../core/prediction.ts'
import { sampleAttempt } from '../testing/sample-records.ts'
import { parseRange, toDisposition } from './bytes.ts'
import { createProviderLinks } from './links.ts'
import { fileSchema } from './schemas.ts'
import type { FileJson, PageJson, PredictionJson } from './shapes.ts'
import { origin, png, setup, type TestFront } from './test-support.ts'

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function formOf(parts: Record<string, string | Blob | [Blob, string]>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(parts))
    if (Array.isArray(value)) form.set(name, value[0], value[1])
    else if (typeof value === 'string') form.set(name, value)
    else form.set(name, value)
  return form
}

async function upload(front: TestFront, name = 'photo.png'): Promise<FileJson> {
  const body = formOf({ content: [new Blob([png], { type: 'image/png' }), name] })
  return (await (await front.send('/v1/files', { method: 'POST', body })).json()) as FileJson
}

describe('files', () => {
  test("are stored and shown in Replicate's shape, metadata and name taken from wherever they stand", async () => {
    const { send } = await setup()
    const body = formOf({
      content: [new Blob([png], { type: 'image/png' }), 'photo.png'],
      metadata: new Blob(['{"from":"test"}'], { type: 'application/json' }),
      filename: 'Föto.png',
      type: 'image/x-png',
    })
    const response = await send('/v1/files', { method: 'POST', body })
    const file = (await response.json()) as FileJson
    expect(response.status).toBe(201)
    expect(fileSchema.safeParse(file).error).toBeUndefined()
    expect(file).toEqual({
      id: 'file1',
      name: 'Föto.png',
      content_type: 'image/x-png',
      size: png.length,
      checksums: { sha256: sha256(png) },
      metadata: { from: 'test' },
      created_at: '2026-01-01T00:00:00.000Z',
      expires_at: null,
      urls: { get: `${origin}/v1/files/file1` },
    })
    expect(await (await send(file.urls.get)).json()).toEqual(file)
  })

  test('are listed newest first, page by page', async () => {
    const front = await setup()
    for (let index = 0; index < 101; index++) {
      await front.store.putFile({
        id: `f${index}`,
        owner: index === 50 ? 'somebody' : 'local',
        key: `files/f${index}`,
        name: 'x',
        mediaType: 'image/png',
        bytes: 1,
        sha256: '0'.repeat(64),
        metadata: '{}',
        createdAt: index,
        expiresAt: null,
      })
    }
    await upload(front)
    const first = (await (await front.send('/v1/files')).json()) as PageJson<FileJson>
    const second = (await (await front.send(first.next ?? '')).json()) as PageJson<FileJson>
    expect([first.results.length, second.results.length, second.next]).toEqual([100, 1, null])
    expect([first.results[0]?.id, second.results[0]?.id]).toEqual(['file1', 'f0'])
  })

  test('are gone after deletion, bytes and all', async () => {
    const front = await setup()
    await upload(front)
    const response = await front.send('/v1/files/file1', { method: 'DELETE' })
    expect([response.status, await response.text()]).toEqual([204, ''])
    expect((await front.send('/v1/files/file1')).status).toBe(404)
    expect((await front.send('/v1/files/file1', { method: 'DELETE' })).status).toBe(404)
    expect(await front.files.stat('files/file1')).toBeNull()
  })

  test('cannot be deleted while a prediction may still need them', async () => {
    const front = await setup()
    const file = await upload(front)
    await front.post('/v1/predictions', { version: 'acme/sketch', input: { image: file.urls.get } })
    const refused = await front.send('/v1/files/file1', { method: 'DELETE' })
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'file_in_use' }])
    await front.change('prediction2', { status: 'failed', completedAt: 1, settledAt: 2 })
    expect((await front.send('/v1/files/file1', { method: 'DELETE' })).status).toBe(204)
  })

  test('of others do not exist', async () => {
    const front = await setup()
    await upload(front)
    const row = await front.store.getFile('file1')
    if (row === null) throw new Error('no file')
    await front.store.putFile({ ...row, owner: 'somebody' })
    expect((await front.send('/v1/files/file1')).status).toBe(404)
    expect((await front.send('/v1/files/file1', { method: 'DELETE' })).status).toBe(404)
    const input = { image: `${origin}/v1/files/file1` }
    expect((await front.post('/v1/predictions', { version: 'acme/sketch', input })).status).toBe(422)
  })

  test.each<[string, RequestInit, number, string]>([
    ['JSON', { headers: { 'content-type': 'application/json' }, body: '{}' }, 415, 'unsupported_media_type'],
    ['a form without content', { body: formOf({ filename: 'x' }) }, 422, 'input_invalid'],
    [
      'metadata that is no object',
      { body: formOf({ content: new Blob(['x']), metadata: '[]' }) },
      422,
      'input_invalid',
    ],
    ['no boundary', { headers: { 'content-type': 'multipart/form-data; x=y' }, body: 'x' }, 400, 'invalid_multipart'],
    [
      'a body that was cut',
      {
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
        body: '--b\r\ncontent-disposition: form-data; name="content"; filename="x"\r\n\r\nhalf',
      },
      400,
      'invalid_multipart',
    ],
  ])('refuses %s and keeps nothing', async (_, init, status, code) => {
    const front = await setup()
    const response = await front.send('/v1/files', { method: 'POST', ...init })
    expect([response.status, await response.json()]).toMatchObject([status, { code, status }])
    expect(await front.store.listFiles({ owner: 'local', limit: 1 })).toEqual([])
    expect(await front.files.stat('files/file1')).toBeNull()
  })

  test('over 100 MB are refused while they arrive', async () => {
    const front = await setup()
    let sent = 0
    const chunk = new Uint8Array(1_000_000)
    const head = '--b\r\ncontent-disposition: form-data; name="content"; filename="x"\r\n\r\n'
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(sent === 0 ? new TextEncoder().encode(head) : chunk)
        sent += 1
      },
    })
    const response = await front.send('/v1/files', {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=b' },
      body,
      duplex: 'half',
    } as RequestInit)
    expect([response.status, await response.json()]).toMatchObject([413, { code: 'input_too_large' }])
    expect(sent).toBeLessThan(110)
    expect(await front.files.stat('files/file1')).toBeNull()
  })
})

describe('predictions from forms', () => {
  const photo: [Blob, string] = [new Blob([png], { type: 'image/png' }), 'photo.png']

  test.each<[string, string, Record<string, string | Blob | [Blob, string]>]>([
    ['plain fields', '/v1/predictions', { version: 'acme/sketch', image: photo, steps: '7', title: '42' }],
    ['the file first', '/v1/predictions', { image: photo, steps: '7', title: '42', model: 'acme/sketch' }],
    ['JSON input', '/v1/predictions', { version: 'acme/sketch', input: '{"steps":7,"title":"42"}', image: photo }],
    ['the model in the path', '/v1/models/acme/sketch/predictions', { image: photo, steps: '7', title: '42' }],
    [
      'JSON as a blob',
      '/v1/predictions',
      { version: 'acme/sketch', input: new Blob(['{"steps":7,"title":"42"}']), image: photo },
    ],
  ])('take %s', async (_, path, parts) => {
    const front = await setup()
    const response = await front.send(path, { method: 'POST', body: formOf(parts) })
    const json = (await response.json()) as PredictionJson
    expect([response.status, json]).toMatchObject([201, { input: { steps: 7, title: '42' } }])
    const shown = await front.send(String(json.input.image))
    expect(new Uint8Array(await shown.arrayBuffer())).toEqual(png)
    expect(shown.headers.get('content-type')).toBe('image/png')
  })

  test.each<[string, Record<string, string | Blob | [Blob, string]>, string]>([
    ['an unknown version', { version: 'acme/other', image: photo }, 'version'],
    ['a file in a field that takes none', { version: 'acme/sketch', image: photo, title: photo }, 'title'],
    ['a file in a field of no object', { version: 'acme/sketch', image: photo, constructor: photo }, 'constructor'],
    ['a field by a name with powers', { version: 'acme/sketch', image: photo, ['__proto__']: '{}' }, '__proto__'],
    ['a wrong value', { version: 'acme/sketch', image: photo, steps: 'many' }, 'steps'],
    ['input that is no JSON', { version: 'acme/sketch', image: photo, input: '{' }, 'input'],
  ])('with %s are refused and leave no file behind', async (_, parts, field) => {
    const front = await setup()
    const response = await front.send('/v1/predictions', { method: 'POST', body: formOf(parts) })
    expect([response.status, await response.json()]).toMatchObject([
      422,
      { code: 'input_invalid', detail: expect.stringContaining(field) },
    ])
    expect(await front.store.listFiles({ owner: 'local', limit: 1 })).toEqual([])
    expect(await front.files.stat('files/file1')).toBeNull()
  })

  test('more than 16 files or 100 fields are refused', async () => {
    const front = await setup()
    const files = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`f${index}`, photo] as const))
    const fields = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`f${index}`, 'x'] as const))
    for (const parts of [files, fields]) {
      const whole = new Response(formOf(parts))
      const headers = { 'content-type': whole.headers.get('content-type') ?? '' }
      const response = await front.send('/v1/predictions', { method: 'POST', headers, body: await whole.arrayBuffer() })
      expect([response.status, await response.json()]).toMatchObject([400, { code: 'invalid_multipart' }])
    }
    expect(await front.store.listFiles({ owner: 'local', limit: 1 })).toEqual([])
  })
})

test('files of ours as inputs are taken from the store, whatever form their address has', async () => {
  const front = await setup()
  const file = await upload(front)
  for (const image of [
    file.urls.get,
    `${file.urls.get}/download?expiry=1&owner=local&signature=x`,
    'http://localhost:8787/v1/files/file1',
  ]) {
    const response = await front.post('/v1/predictions', { version: 'acme/sketch', input: { image } })
    const json = (await response.json()) as PredictionJson
    expect(json.input.image).toMatch(`${origin}/v1/inputs/photo.png?key=files%2Ffile1&expiry=`)
  }
})

describe('bytes', () => {
  const text = '0123456789'
  const output: StoredOutput = {
    key: 'outputs/p1/scene.ply',
    name: 'scene.ply',
    mediaType: 'application/octet-stream',
    bytes: text.length,
    sha256: sha256(text),
    facts: {},
  }

  async function stored() {
    const front = await setup()
    await front.files.put(output.key, new Blob([text]).stream(), { maxBytes: 100 })
    await front.add({ id: 'p1', status: 'succeeded', completedAt: 1, output })
    const json = (await (await front.send('/v1/predictions/p1')).json()) as PredictionJson
    return { front, url: json.output ?? '' }
  }

  test('go out whole, with what a browser and a cache need', async () => {
    const { front, url } = await stored()
    const response = await front.send(url)
    expect([response.status, await response.text()]).toEqual([200, text])
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=3600, immutable',
      'content-disposition': `attachment; filename="scene.ply"; filename*=UTF-8''scene.ply`,
      'content-length': '10',
      'content-security-policy': "default-src 'none'; sandbox",
      'content-type': 'application/octet-stream',
      etag: `"${output.sha256}"`,
    })
  })

  test.each([
    ['bytes=0-3', 206, 'bytes 0-3/10', '0123'],
    ['bytes=8-', 206, 'bytes 8-9/10', '89'],
    ['bytes=-3', 206, 'bytes 7-9/10', '789'],
    ['bytes=-50', 206, 'bytes 0-9/10', text],
    ['bytes=5-500', 206, 'bytes 5-9/10', '56789'],
    ['bytes=0-1,3-4', 200, null, text],
    ['bytes=5-2', 200, null, text],
    ['lines=1-2', 200, null, text],
  ])('%s answers %i', async (range, status, contentRange, body) => {
    const { front, url } = await stored()
    const response = await front.send(url, { headers: { range } })
    expect([response.status, response.headers.get('content-range'), await response.text()]).toEqual([
      status,
      contentRange,
      body,
    ])
    expect(response.headers.get('content-length')).toBe(String(body.length))
  })

  test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s lies outside: 416 with the length', async range => {
    const { front, url } = await stored()
    const response = await front.send(url, { headers: { range } })
    expect([response.status, response.headers.get('content-range'), await response.json()]).toMatchObject([
      416,
      'bytes */10',
      { code: 'range_not_satisfiable' },
    ])
  })

  test('HEAD has the headers of GET and no body; 304 for whoever has them', async () => {
    const { front, url } = await stored()
    const head = await front.send(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '10', ''])
    const known = await front.send(url, { headers: { 'if-none-match': `W/"x", "${output.sha256}"` } })
    expect([known.status, await known.text()]).toEqual([304, ''])
  })

  test('a range of a file that has changed since is the whole file', async () => {
    const { front, url } = await stored()
    const ask = async (condition: string) => {
      const response = await front.send(url, { headers: { range: 'bytes=0-3', 'if-range': condition } })
      return [response.status, await response.text()]
    }
    expect(await ask(`"${output.sha256}"`)).toEqual([206, '0123'])
    expect(await ask('"other"')).toEqual([200, text])
  })

  test('are served by a good link only: tampered ones are 403, and so are expired ones', async () => {
    const { front, url } = await stored()
    await front.add({ id: 'p2', status: 'succeeded', completedAt: 1, output })
    const changed = (change: (url: URL) => void) => {
      const copy = new URL(url)
      change(copy)
      return front.send(copy.href)
    }
    const forged = await Promise.all([
      changed(copy => copy.searchParams.set('expiry', String(Number(copy.searchParams.get('expiry')) + 3600))),
      changed(copy => copy.searchParams.set('signature', 'x'.repeat(43))),
      changed(copy => {
        copy.pathname = copy.pathname.replace('p1', 'p2')
      }),
      changed(copy => {
        copy.pathname = copy.pathname.replace('scene.ply', 'other.ply')
      }),
    ])
    for (const response of forged)
      expect([response.status, await response.json()]).toMatchObject([403, { code: 'link_forged' }])
    expect((await changed(copy => copy.searchParams.delete('signature'))).status).toBe(422)
    expect((await changed(copy => copy.searchParams.set('expiry', 'never'))).status).toBe(422)
    await front.clock.advance(7_200_000)
    const expired = await front.send(url)
    expect([expired.status, await expired.json()]).toMatchObject([403, { code: 'link_expired' }])
  })

  test('that are no longer kept are 404', async () => {
    const { front, url } = await stored()
    await front.files.remove(output.key)
    expect((await front.send(url)).status).toBe(404)
    expect((await front.send(url, { method: 'HEAD' })).status).toBe(404)
  })

  test('an uploaded page is a download in a sandbox, not a page of ours', async () => {
    const front = await setup()
    const body = formOf({ content: [new Blob(['<script>'], { type: 'text/html' }), 'x.html'] })
    await front.send('/v1/files', { method: 'POST', body })
    const signature = front.deps.signer.sign(['file', 'local', 'file1'], front.clock.now() + 1_000)
    const expiry = (front.clock.now() + 1_000) / 1000
    const response = await front.send(`/v1/files/file1/download?expiry=${expiry}&owner=local&signature=${signature}`)
    expect(await response.text()).toBe('<script>')
    expect(response.headers.get('content-security-policy')).toContain('sandbox')
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="x\.html"/)
  })
})

test('ranges of an empty file, and names of all kinds, are put safely', () => {
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable')
  expect(parseRange(undefined, 0)).toBeNull()
  expect(toDisposition("a'b\r\n\u{1f600}.ply")).toBe(
    `attachment; filename="a'b____.ply"; filename*=UTF-8''a%27b%0D%0A%F0%9F%98%80.ply`,
  )
  expect(toDisposition('\ud800')).toContain('%EF%BF%BD')
})

describe('uploads by kits', () => {
  const bytes = 'a whole splat'

  async function withAttempt() {
    const front = await setup()
    await front.add({ id: 'p1', attempts: [sampleAttempt({ id: 'a1' })] })
    const links = createProviderLinks(front.deps.signer, origin)
    const url = links.upload('a1', 'scene.ply', front.clock.now() + 60_000) ?? ''
    const put = (body: string, headers: Record<string, string> = {}, to = url) =>
      front.send(to, { method: 'PUT', body, headers })
    return { front, links, url, put }
  }

  test('the first complete one wins, later ones are 409', async () => {
    const { front, put } = await withAttempt()
    const first = await put(bytes)
    expect([first.status, await first.json()]).toEqual([201, { bytes: bytes.length, sha256: sha256(bytes) }])
    const second = await put('another')
    expect([second.status, await second.json()]).toMatchObject([409, { code: 'already_uploaded' }])
    const kept = await front.files.open('uploads/a1/scene.ply')
    expect(await new Response(kept?.body).text()).toBe(bytes)
  })

  test.each<[string, Record<string, string>, number, string]>([
    ['a length that is longer', { 'content-length': '14' }, 422, 'output_invalid'],
    ['a length that is shorter', { 'content-length': '12' }, 422, 'output_invalid'],
    ['a length that is too large', { 'content-length': '1001' }, 413, 'input_too_large'],
    ['a length that is no number', { 'content-length': 'x' }, 422, 'input_invalid'],
    ['a digest that differs', { 'x-content-sha256': '0'.repeat(64) }, 422, 'output_invalid'],
    ['a digest that is none', { 'x-content-sha256': 'x' }, 422, 'input_invalid'],
    ['a Content-Digest that differs', { 'content-digest': `sha-256=:${'A'.repeat(43)}=:` }, 422, 'output_invalid'],
    ['a Content-Digest that is none', { 'content-digest': 'sha-256=:x:' }, 422, 'input_invalid'],
  ])('%s is refused, and the right one still taken', async (_, headers, status, code) => {
    const { put } = await withAttempt()
    const refused = await put(bytes, headers)
    expect([refused.status, await refused.json()]).toMatchObject([status, { code }])
    expect((await put(bytes)).status).toBe(201)
  })

  test.each<[string, Record<string, string>]>([
    ['x-content-sha256', { 'x-content-sha256': sha256(bytes).toUpperCase() }],
    [
      'Content-Digest',
      { 'content-digest': `sha-512=:x:, sha-256=:${Buffer.from(sha256(bytes), 'hex').toString('base64')}:` },
    ],
    ['a digest of another kind', { 'content-digest': 'sha-512=:x:' }],
  ])('a good digest is taken: %s', async (_, headers) => {
    const { put } = await withAttempt()
    expect((await put(bytes, headers)).status).toBe(201)
  })

  test('more than the model allows is refused while it arrives', async () => {
    const { put } = await withAttempt()
    const response = await put('x'.repeat(1_001))
    expect([response.status, await response.json()]).toMatchObject([413, { code: 'input_too_large' }])
  })

  test('forged and expired links are 403, unknown attempts 404, odd names 422', async () => {
    const { front, links, url, put } = await withAttempt()
    const other = url.replace('a1', 'a2')
    expect((await put(bytes, {}, other)).status).toBe(403)
    expect((await put(bytes, {}, url.replace('scene', 'other'))).status).toBe(403)
    const unknown = links.upload('a2', 'scene.ply', front.clock.now() + 60_000) ?? ''
    expect((await put(bytes, {}, unknown)).status).toBe(404)
    const odd = links.upload('a1', '..', front.clock.now() + 60_000) ?? ''
    expect((await put(bytes, {}, odd.replace('/..', '/%2e%2e%2fx'))).status).toBe(422)
    await front.clock.advance(60_000)
    const expired = await put(bytes)
    expect([expired.status, await expired.json()]).toMatchObject([403, { code: 'link_expired' }])
  })

  test('there are no such links without a public base URL', async () => {
    const { front } = await withAttempt()
    const links = createProviderLinks(front.deps.signer, null)
    expect([links.input('k', 'n', 1), links.upload('a', 'n', 1), links.webhook('p', 'a', 's')]).toEqual([
      null,
      null,
      null,
    ])
  })
})

describe('webhooks', () => {
  test('are answered after the engine has heard them', async () => {
    const { send, deps } = await setup()
    const path = createProviderLinks(deps.signer, origin).webhook('replicate', 'a1', 'good') ?? ''
    const response = await send(path, { method: 'POST', body: '{}' })
    expect([response.status, await response.text()]).toEqual([204, ''])
  })

  test.each([
    ['another provider', '/v1/webhooks/other/a1/good', '{}', 404],
    ['a bad signature', '/v1/webhooks/replicate/a1/bad', '{}', 401],
    ['an empty body', '/v1/webhooks/replicate/a1/good', '', 422],
    ['more than 5 MB', '/v1/webhooks/replicate/a1/good', 'x'.repeat(5_000_001), 413],
  ])('%s is refused', async (_, path, body, status) => {
    const { send } = await setup()
    const response = await send(path, { method: 'POST', body })
    expect([response.status, await response.json()]).toMatchObject([status, { status }])
  })
})
