import { createHash } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { deliver } from '../deliver.ts'
import { type ActiveFaults, createDice } from '../faults.ts'
import { s3Problem } from './answers.ts'

interface StoredObject {
  readonly body: Blob
  readonly mediaType: string
  readonly etag: string
  readonly storedAt: number
  /** What befalls its downloads. */
  readonly faults: ActiveFaults
}

/** Every bucket exists. Keys are `bucket/key`. */
export interface Objects {
  /** PUT, GET, HEAD and DELETE of an object, GET of a bucket's list; path style. `faults`: of the run that puts it. */
  answer(request: Request, url: URL, faults?: ActiveFaults): Promise<Response>
  put(path: string, body: Blob, faults?: ActiveFaults): void
  get(path: string): Blob | null
}

/** A minimal S3: what the adapters and their workers use, with strong consistency as the vendor has it. */
export function createObjects(clock: Clock, closed: AbortSignal): Objects {
  const objects = new Map<string, StoredObject>()
  const harmless = createDice([], () => 0)()

  async function store(path: string, body: Blob, faults: ActiveFaults): Promise<string> {
    const etag = `"${createHash('md5')
      .update(await body.bytes())
      .digest('hex')}"`
    objects.set(path, { body, mediaType: body.type, etag, storedAt: clock.now(), faults })
    return etag
  }

  async function put(request: Request, path: string, faults: ActiveFaults): Promise<Response> {
    const type = request.headers.get('content-type') ?? 'binary/octet-stream'
    const body = new Blob([await request.arrayBuffer()], { type })
    // Checked when the body is there: of two writers at the same time the first to finish wins.
    if (request.headers.get('if-none-match') === '*' && objects.has(path)) return s3Problem(412, 'PreconditionFailed')
    // Faults of downloads are those of outputs: what a kit reports is read as it is.
    const befalls = type === 'application/json' ? harmless : faults
    return new Response(null, { status: 200, headers: { etag: await store(path, body, befalls) } })
  }

  function read(request: Request, path: string): Response {
    const found = objects.get(path)
    if (found === undefined || isExpired(found)) {
      const missing = s3Problem(404, 'NoSuchKey')
      return request.method === 'HEAD' ? new Response(null, { status: 404, headers: missing.headers }) : missing
    }
    const { body, mediaType, etag, faults } = found
    // Who looks whether it is there asks for one byte, which neither crawls nor is cut in two.
    const isLook = request.headers.get('range') === 'bytes=0-0'
    const response = deliver(request, { body, mediaType, faults: isLook ? harmless : faults, clock, closed })
    response.headers.set('etag', etag)
    return response
  }

  function isExpired({ faults, storedAt }: StoredObject): boolean {
    return faults.has('output-expired') && clock.now() >= storedAt + faults.number('output-expired') * 1000
  }

  function list(bucket: string, prefix: string): Response {
    const keys = [...objects.keys()].filter(path => path.startsWith(`${bucket}/${prefix}`)).sort()
    const contents = keys.map(path => {
      const size = objects.get(path)?.body.size
      return `<Contents><Key>${path.slice(bucket.length + 1)}</Key><Size>${size}</Size></Contents>`
    })
    const body = `<ListBucketResult><Name>${bucket}</Name><KeyCount>${keys.length}</KeyCount><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`
    return new Response(body, { headers: { 'content-type': 'application/xml' } })
  }

  return {
    async answer(request, url, faults = harmless) {
      const path = decodeURIComponent(url.pathname.slice(1))
      if (request.method === 'GET' && !path.replace(/\/$/, '').includes('/'))
        return list(path.replace(/\/$/, ''), url.searchParams.get('prefix') ?? '')
      switch (request.method) {
        case 'PUT':
          return put(request, path, faults)
        case 'GET':
        case 'HEAD':
          return read(request, path)
        case 'DELETE':
          objects.delete(path)
          return new Response(null, { status: 204 })
      }
      return s3Problem(405, 'MethodNotAllowed')
    },
    put(path, body, faults = harmless) {
      const etag = `"${path.length.toString(16)}-${body.size.toString(16)}"`
      objects.set(path, { body, mediaType: body.type, etag, storedAt: clock.now(), faults })
    },
    get: path => objects.get(path)?.body ?? null,
  }
}
