import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** What a request says about who signed it, in its headers or, for a link, in its query. */
interface Stated {
  readonly keyId: string
  /** `date/region/service/aws4_request`. */
  readonly scope: string
  readonly date: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** The body's hash in hex, or `UNSIGNED-PAYLOAD`. */
  readonly payload: string
}

/** The access key id of a signed request or link; null where it is neither. */
export function keyIdOf(request: Request, url: URL): string | null {
  return statedOf(request, url)?.keyId ?? null
}

/**
 * Whether a request carries the signature, version 4, that the secret makes over it as it arrived. The age of it is not
 * looked at: it was made by a real clock. Source: AWS's page on signing requests.
 */
export async function isSigned(request: Request, url: URL, secret: string): Promise<boolean> {
  const stated = statedOf(request, url)
  if (stated === null) return false
  const body = new Uint8Array(await request.clone().arrayBuffer())
  if (stated.payload !== 'UNSIGNED-PAYLOAD' && stated.payload !== hash(body)) return false
  const canonical = [
    request.method,
    pathOf(url, stated),
    queryOf(url),
    ...stated.signedHeaders.map(name => `${name}:${headerOf(request, url, name, body.byteLength)}`),
    '',
    stated.signedHeaders.join(';'),
    stated.payload,
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', stated.date, stated.scope, hash(canonical)].join('\n')
  const key = stated.scope.split('/').reduce<string | Buffer>((key, part) => hmac(key, part), `AWS4${secret}`)
  const [expected, given] = [hmac(key, toSign), Buffer.from(stated.signature, 'hex')]
  return expected.byteLength === given.byteLength && timingSafeEqual(expected, given)
}

const header = /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\/([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]+)$/

function statedOf({ headers }: Request, { searchParams }: URL): Stated | null {
  const parts = header.exec(headers.get('authorization') ?? '')
  if (parts !== null) {
    const [, keyId = '', scope = '', names = '', signature = ''] = parts
    const [date, payload] = [headers.get('x-amz-date') ?? '', headers.get('x-amz-content-sha256') ?? '']
    return { keyId, scope, date, signedHeaders: names.split(';'), signature, payload }
  }
  const asked = (name: string) => searchParams.get(`X-Amz-${name}`) ?? ''
  const [keyId = '', ...scope] = asked('Credential').split('/')
  if (keyId === '') return null
  return {
    ...{ keyId, scope: scope.join('/'), date: asked('Date'), signature: asked('Signature') },
    signedHeaders: asked('SignedHeaders').split(';'),
    payload: searchParams.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD',
  }
}

/** S3 signs the path as it is sent; every other service encodes it once more. */
function pathOf({ pathname }: URL, { scope }: Stated): string {
  return scope.split('/')[2] === 's3' ? pathname : pathname.split('/').map(encode).join('/')
}

function queryOf({ searchParams }: URL): string {
  const pairs = [...searchParams].filter(([name]) => name !== 'X-Amz-Signature')
  return pairs
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
}

/** A request that was never on a wire has neither a host nor a length in its headers. */
function headerOf({ headers }: Request, { host }: URL, name: string, bodyBytes: number): string {
  const value = headers.get(name) ?? { host, 'content-length': String(bodyBytes) }[name] ?? ''
  return value.trim().replace(/\s+/g, ' ')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, each => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)
}

function hash(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
