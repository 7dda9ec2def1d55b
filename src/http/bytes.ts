import type { FileStore } from '../files/contract.ts'
import type { Context } from './context.ts'
import { refuseHttp } from './errors.ts'

/** A stored file as it goes out. */
export interface ServedFile {
  readonly key: string
  readonly name: string
  readonly mediaType: string
  readonly bytes: number
  /** Lower-case hex, or null where it is not known: then there is no ETag. */
  readonly sha256: string | null
  /** Seconds since 1970 at which the link ends; caches may keep the bytes as long. */
  readonly expiry: number
}

/**
 * Answers GET and HEAD with a stored file: one range (206, 416), ETag, 304. Bytes never change under their name, so
 * caches need not ask again. They are a download in a sandbox: an uploaded HTML file must not run as a page of ours.
 */
export async function serveFile(c: Context, files: FileStore, file: ServedFile, now: number): Promise<Response> {
  const etag = file.sha256 === null ? null : `"${file.sha256}"`
  const headers = {
    ...(etag === null ? {} : { etag }),
    'accept-ranges': 'bytes',
    'cache-control': toMaxAge(file.expiry, now),
    'content-type': file.mediaType,
    'content-disposition': toDisposition(file.name),
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'cross-origin',
    // Whoever has the link may read the bytes; viewers in pages of other origins could not, without this.
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'accept-ranges, content-disposition, content-length, content-range, etag',
  }
  if (listsTag(c.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  // Hosts of apps that mount us end answers at a few megabytes, and a bucket has no such limit.
  if (c.env?.mounted !== undefined && files.outside !== undefined) {
    const location = await files.outside.readUrl(file.key, file.expiry * 1000, file)
    return new Response(null, { status: 302, headers: { ...headers, location } })
  }

  const condition = c.req.header('if-range')
  const range = condition === undefined || condition === etag ? parseRange(c.req.header('range'), file.bytes) : null
  if (range === 'unsatisfiable') {
    refuseHttp('range_not_satisfiable', `The file has ${file.bytes} bytes; the range lies outside.`, {
      'content-range': `bytes */${file.bytes}`,
    })
  }
  const length = range === null ? file.bytes : range.end - range.start + 1
  const status = range === null ? 200 : 206
  const more = {
    ...headers,
    'content-length': String(length),
    ...(range === null ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${file.bytes}` }),
  }
  if (c.req.method === 'HEAD') {
    if ((await files.stat(file.key)) === null) gone()
    return new Response(null, { status, headers: more })
  }
  const opened = await files.open(file.key, range ?? undefined)
  return new Response((opened ?? gone()).body, { status, headers: more })
}

/** Bytes never change under their link, so caches may keep them until it ends. */
export function toMaxAge(expiry: number, now: number): string {
  return `private, max-age=${Math.max(0, Math.floor(expiry - now / 1000))}, immutable`
}

/** One byte range; null where the whole file is meant: no range, several, or another unit. */
export function parseRange(
  header: string | undefined,
  total: number,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  if (match === null) return null
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return null
  const start = first === '' ? Math.max(0, total - Number(last)) : Number(first)
  const end = first === '' || last === '' ? total - 1 : Math.min(Number(last), total - 1)
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null
  return start >= total || start > end ? 'unsatisfiable' : { start, end }
}

const mediaTypes: ReadonlyMap<string, string> = new Map([
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['png', 'image/png'],
  ['webp', 'image/webp'],
  ['heic', 'image/heic'],
  ['avif', 'image/avif'],
])

/** Media type by a file name's extension, for files that are known by their key only. */
export function mediaTypeOf(name: string): string {
  return mediaTypes.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase()) ?? 'application/octet-stream'
}

/** RFC 6266: a plain name for old clients, the real one in UTF-8 for the others. */
export function toDisposition(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(/['()*]/g, escapeCharacter)
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}

function escapeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

function listsTag(header: string | undefined, etag: string | null): boolean {
  if (etag === null) return false
  const tags = header?.split(',').map(tag => tag.trim().replace(/^W\//, '')) ?? []
  return tags.includes(etag) || tags.includes('*')
}

function gone(): never {
  return refuseHttp('not_found', 'The file is no longer kept here.')
}
