import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { json } from '../answers.ts'
import { problem } from './answers.ts'

/** How long an upload is kept. The vendor says it in `expires_at` only; a day is often quoted. */
const keptMs = 24 * 60 * 60_000

interface StoredFile {
  readonly id: string
  readonly origin: string
  readonly name: string
  readonly body: Blob
  readonly sha256: string
  readonly metadata: Record<string, unknown>
  readonly createdAt: number
}

export interface FilesOptions {
  readonly clock: Clock
  readonly newId: () => string
  /** Signs download URLs. */
  readonly secret: string
}

/** The Files API: multipart uploads, their metadata, signed downloads. */
export interface Files {
  create(request: Request, origin: string): Promise<Response>
  list(): { id: string; show(): unknown }[]
  get(id: string): Response
  remove(id: string): Response
  download(id: string, query: URLSearchParams): Response
  /** The bytes behind an uploaded file's `urls.get`, or null when the URL is none of ours. */
  resolve(url: string): Blob | null
}

export function createFiles({ clock, newId, secret }: FilesOptions): Files {
  const files = new Map<string, StoredFile>()

  function live(id: string): StoredFile | null {
    const file = files.get(id)
    if (file === undefined || clock.now() >= file.createdAt + keptMs) return null
    return file
  }

  return {
    async create(request, origin) {
      let form: FormData
      try {
        form = await request.formData()
      } catch {
        return problem(400, 'The request body is not a multipart form.')
      }
      const content = form.get('content')
      if (!(content instanceof Blob)) return problem(422, 'content: this field is required')
      const file: StoredFile = {
        id: newId(),
        origin,
        name: (await text(form.get('filename'))) ?? (content instanceof File ? content.name : 'file'),
        body: content,
        sha256: createHash('sha256')
          .update(await content.bytes())
          .digest('hex'),
        metadata: metadataOf(await text(form.get('metadata'))),
        createdAt: clock.now(),
      }
      files.set(file.id, file)
      return json(show(file), 201)
    },
    list: () =>
      [...files.values()]
        .filter(file => live(file.id) !== null)
        .reverse()
        .map(file => ({ id: file.id, show: () => show(file) })),
    get(id) {
      const file = live(id)
      return file === null ? problem(404, 'The requested resource could not be found.') : json(show(file))
    },
    remove(id) {
      if (live(id) === null) return problem(404, 'The requested resource could not be found.')
      files.delete(id)
      return new Response(null, { status: 204 })
    },
    download(id, query) {
      const file = live(id)
      const [owner, expiry, signature] = [
        query.get('owner') ?? '',
        query.get('expiry') ?? '',
        query.get('signature') ?? '',
      ]
      const expected = createHmac('sha256', secret).update(`${owner} ${id} ${expiry}`).digest()
      const given = Buffer.from(signature, 'base64')
      const fits = given.length === expected.length && timingSafeEqual(given, expected)
      if (!fits || Number(expiry) * 1000 < clock.now()) return problem(403, 'The signature is invalid or has expired.')
      if (file === null) return problem(404, 'The requested resource could not be found.')
      return new Response(file.body, {
        headers: { 'content-type': file.body.type, 'content-length': String(file.body.size) },
      })
    },
    resolve(url) {
      const id = /\/v1\/files\/([^/?#]+)$/.exec(url)?.[1]
      return id === undefined ? null : (live(id)?.body ?? null)
    },
  }
}

/** An uploaded file as the API shows it. */
export interface FileView {
  readonly id: string
  readonly name: string
  readonly content_type: string
  readonly size: number
  readonly etag: string
  readonly checksums: { readonly sha256: string }
  readonly metadata: { readonly [key: string]: unknown }
  readonly created_at: string
  readonly expires_at: string
  readonly urls: { readonly get: string }
}

function show(file: StoredFile): FileView {
  return {
    id: file.id,
    name: file.name,
    content_type: file.body.type || 'application/octet-stream',
    size: file.body.size,
    etag: file.sha256.slice(0, 32),
    checksums: { sha256: file.sha256 },
    metadata: file.metadata,
    created_at: new Date(file.createdAt).toISOString(),
    expires_at: new Date(file.createdAt + keptMs).toISOString(),
    urls: { get: `${file.origin}/v1/files/${file.id}` },
  }
}

/** A form's value, whether sent as a field or as a part with a content type. */
async function text(value: File | string | null): Promise<string | null> {
  return value instanceof Blob ? await value.text() : value
}

function metadataOf(value: string | null): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(value ?? '{}')
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
  } catch {
    return {}
  }
}
