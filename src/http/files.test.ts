import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { createFailure, SurefootError } from '../core/failure.ts'
import { fileSchema } from './schemas.ts'
import type { FileJson, PageJson, PredictionJson } from './shapes.ts'
import { origin, png, setup, type TestFront } from './test-support.ts'

/** Names of the files that lie in the store under `files`. */
async function keptFiles({ files }: TestFront): Promise<string[]> {
  const entries = await readdir(files.path('files') ?? '', { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter(entry => entry.isFile()).map(({ name }) => name)
}

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
      etag: sha256(png),
      checksums: { sha256: sha256(png) },
      metadata: { from: 'test' },
      created_at: '2026-01-01T00:00:00.000Z',
      expires_at: null,
      urls: { get: `${origin}/v1/files/file1` },
    })
    expect(await (await send(file.urls.get)).json()).toEqual(file)
  })

  test.each([
    ['half a surrogate pair', "filename*=utf-16le''%00%D8", '_'],
    ['no name', 'filename=""', 'file'],
    ['a way out', 'filename=".."', 'file'],
    ['a terminal escape', 'filename="a\u001b[2J.png"', 'a_[2J.png'],
    ['no end', `filename="${'n'.repeat(9000)}.png"`, `${'n'.repeat(96)}.png`],
  ])(
    'that are called by %s get a name that their prediction can be shown and fetched with',
    async (_, called, name) => {
      const { send } = await setup()
      const fields = '--b\r\ncontent-disposition: form-data; name="version"\r\n\r\nacme/sketch\r\n'
      const head = `--b\r\ncontent-disposition: form-data; name="image"; ${called}\r\n\r\n`
      const created = await send('/v1/predictions', {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=b' },
        body: Buffer.concat([Buffer.from(fields + head), png, Buffer.from('\r\n--b--\r\n')]),
      })
      expect(created.status).toBe(201)
      const { results } = (await (await send('/v1/predictions')).json()) as PageJson<PredictionJson>
      const link = String(results[0]?.input.image)
      expect(new URL(link).pathname).toBe(`/v1/inputs/${encodeURIComponent(name)}`)
      expect((await (await send(link)).arrayBuffer()).byteLength).toBe(png.length)
    },
  )

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
    expect(await keptFiles(front)).toEqual([])
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
    [
      'endless metadata',
      { body: formOf({ content: new Blob(['x']), metadata: `{"a":"${'x'.repeat(16_384)}"}` }) },
      422,
      'input_invalid',
    ],
    // It could be stored, but never shown: neither the file nor any list with it.
    [
      'metadata nested too deep to be written',
      { body: formOf({ content: new Blob(['x']), metadata: `${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}` }) },
      422,
      'input_invalid',
    ],
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
    expect(await keptFiles(front)).toEqual([])
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
    expect(await keptFiles(front)).toEqual([])
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
    expect(await keptFiles(front)).toEqual([])
  })

  test.each<[string, SurefootError, number]>([
    ['refused', new SurefootError(createFailure('rate_limited', 'Full.', { fault: 'user' }), { status: 429 }), 0],
    ['lost', new SurefootError(createFailure('internal', 'The database is away.'), { status: 503 }), 1],
  ])('that are %s where they would be stored leave their files where they may be needed', async (_, error, left) => {
    const plain = await setup()
    const { store, files, clock } = plain
    const engine = { ...plain.deps.engine, create: () => Promise.reject(error) }
    const front = await setup({ engine, store, files, clock })
    const body = formOf({ version: 'acme/sketch', image: photo })
    expect((await front.send('/v1/predictions', { method: 'POST', body })).status).toBeGreaterThan(400)
    expect(await store.listFiles({ owner: 'local', limit: 9 })).toHaveLength(left)
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
    expect(json.input.image).toMatch(`${origin}/v1/inputs/photo.png?key=files%2Ffile1%2Fphoto.png&expiry=`)
  }
})
