import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/**
 * Whether a presigned address was signed with this secret, for this method, path, query and the headers that it names, as
 * they came: AWS Signature Version 4,
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html. Looks at no time.
 */
export function isSignedLink({ method = '', url = '/', headers }: IncomingMessage, secret: string): boolean {
  const { pathname, searchParams } = new URL(url, 'http://s3.test')
  const given = searchParams.get('X-Amz-Signature')
  const signedHeaders = searchParams.get('X-Amz-SignedHeaders') ?? ''
  const scope = (searchParams.get('X-Amz-Credential') ?? '').split('/').slice(1)
  const query = [...searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join('&')
  const canonicalHeaders = signedHeaders.split(';').map(name => `${name}:${String(headers[name] ?? '').trim()}\n`)
  const canonical = [method, pathname, query, canonicalHeaders.join(''), signedHeaders, 'UNSIGNED-PAYLOAD'].join('\n')
  const digest = createHash('sha256').update(canonical).digest('hex')
  const toSign = ['AWS4-HMAC-SHA256', searchParams.get('X-Amz-Date'), scope.join('/'), digest].join('\n')
  const key = scope.reduce<string | Buffer>((made, part) => hmac(made, part), `AWS4${secret}`)
  return hmac(key, toSign).toString('hex') === given
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, each => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)
}
