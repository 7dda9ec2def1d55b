import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from 's3rver'
import type { S3Options } from './contract.ts'
import { isSignedLink } from './test-s3-signature.ts'

/** In seconds. A link that lasts less than this ends by itself on a busy machine. */
const shortestLink = 60

/** What s3rver has of its own that tests need; it brings no types. */
interface Server {
  callback(): RequestListener
  configureBuckets(): Promise<unknown>
  readonly store: { existsObject(bucket: string, key: string): Promise<unknown> }
}

const corsRule = `<CORSConfiguration><CORSRule>
  <AllowedOrigin>*</AllowedOrigin>
  <AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedMethod>PUT</AllowedMethod>
  <AllowedHeader>*</AllowedHeader>
</CORSRule></CORSConfiguration>`

export interface StartedS3 {
  readonly endpoint: string
  readonly options: S3Options
  /** Method and path of every request, `POST /files/key?uploads`, in order. */
  readonly requests: string[]
  /** Answers requests itself where it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean
  /** The server's own answer, for what was intercepted to be answered later. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Multipart uploads that were begun and neither completed nor taken back. */
  pending(): Promise<readonly string[]>
  close(): Promise<void>
}

/**
 * An S3 server on loopback: s3rver 3.7.1, and in front of it what it lacks. It knows neither conditional writes
 * (`If-None-Match`; here with `conditional`), nor conditional copies (here always), nor `AbortMultipartUpload` (here always), nor
 * checksums of the newer SDKs, nor what a presigned address was signed for (here always). Links of less than a minute are refused. With `cors`, pages of every
 * origin may read and upload.
 */
export async function startS3({ conditional = false, cors = false } = {}): Promise<StartedS3> {
  const directory = await mkdtemp(join(tmpdir(), 'surefoot-s3-'))
  const bucket = { name: 'files', configs: cors ? [corsRule] : [] }
  const app = new S3rver({ directory, silent: true, configureBuckets: [bucket] }) as unknown as Server
  await app.configureBuckets()
  const serve = app.callback()
  const uploads = join(directory, 'files', '._S3rver_uploads')
  const requests: string[] = []
  const etags = async (path: string) =>
    (
      await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
        method: 'HEAD',
        headers: { 'x-test': '1' },
      })
    ).headers.get('etag')

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://s3.test')
    const upload = url.searchParams.get('uploadId')
    if (request.method === 'DELETE' && upload !== null) {
      await rm(join(uploads, upload), { recursive: true, force: true })
      response.writeHead(204).end()
      return
    }
    const isSigned = request.method !== 'OPTIONS' && url.searchParams.has('X-Amz-Signature')
    if (isSigned && !isSignedLink(request, 'S3RVER')) return refuse(request, response, 403, 'SignatureDoesNotMatch')
    // Always, not only where the machine is slow: the test has mixed two clocks.
    if (isSigned && Number(url.searchParams.get('X-Amz-Expires')) < shortestLink)
      return refuse(request, response, 400, 'LinkOfSeconds')
    const isWrite = request.method === 'PUT' || (request.method === 'POST' && upload !== null)
    const key = url.pathname.slice('/files/'.length)
    if (
      conditional &&
      isWrite &&
      request.headers['if-none-match'] === '*' &&
      (await app.store.existsObject('files', key))
    )
      return refuse(request, response, 412, 'PreconditionFailed')
    const wanted = request.headers['x-amz-copy-source-if-match']
    if (wanted !== undefined && (await etags(`/${request.headers['x-amz-copy-source']}`)) !== wanted)
      return refuse(request, response, 412, 'PreconditionFailed')
    serve(request, response)
  }

  function refuse(request: IncomingMessage, response: ServerResponse, status: number, code: string): void {
    request.resume()
    request.once('end', () =>
      response
        .writeHead(status, { 'content-type': 'application/xml' })
        .end(`<Error><Code>${code}</Code><Message>No.</Message></Error>`),
    )
  }

  const server = createServer((request, response) => {
    if (request.headers['x-test'] === undefined) requests.push(`${request.method} ${request.url}`)
    if (!started.intercept(request, response)) void handle(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const started: StartedS3 = {
    endpoint,
    options: {
      bucket: 'files',
      region: 'us-east-1',
      endpoint,
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
    },
    requests,
    intercept: () => false,
    handle,
    pending: async () => (await readdir(uploads).catch(() => [])).filter(name => !name.startsWith('.')),
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return started
}

/** Holds the first request of its kind from now on: `held` resolves when it has come, `now` lets it through. */
export function holdFirst(
  s3: StartedS3,
  isMeant: (request: IncomingMessage) => boolean,
): { readonly held: Promise<void>; now(): void } {
  const held = Promise.withResolvers<void>()
  let goOn = () => {}
  s3.intercept = (request, response) => {
    if (!isMeant(request)) return false
    s3.intercept = () => false
    goOn = () => void s3.handle(request, response)
    held.resolve()
    return true
  }
  return { held: held.promise, now: () => goOn() }
}
