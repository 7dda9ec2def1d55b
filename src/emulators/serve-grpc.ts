import { once } from 'node:events'
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Emulator } from './contract.ts'

/** How a connection of HTTP/2 without TLS begins, which is how gRPC's clients come to a plain address. */
const preface = Buffer.from('PRI * HTTP/2.0')

/** Whether a connection's first bytes are HTTP/2's. */
export function isHttp2(first: Buffer): boolean {
  return first.subarray(0, preface.length).equals(preface.subarray(0, first.length)) && first.length > 0
}

/**
 * A server for connections of HTTP/2; it listens nowhere, connections are handed to it. Answers' headers `grpc-*` travel
 * as trailers, as gRPC wants them. Where the emulator's function rejects, the connection is cut.
 */
export function createHttp2Server(emulator: Emulator): Http2Server {
  const server = createServer()
  server.on('stream', (stream, headers) => {
    // A caller that goes away in the middle is nobody's error.
    stream.on('error', () => {})
    void respond(emulator, stream, headers).catch(() => stream.session?.destroy())
  })
  server.on('sessionError', () => {})
  return server
}

async function respond(emulator: Emulator, stream: ServerHttp2Stream, incoming: IncomingHttpHeaders): Promise<void> {
  const gone = new AbortController()
  stream.once('close', () => gone.abort(new Error('the caller went away')))
  const response = await emulator.fetch(await toRequest(stream, incoming, gone.signal))
  const headers: OutgoingHttpHeaders = { ':status': response.status }
  const trailers: OutgoingHttpHeaders = {}
  for (const [name, value] of response.headers) (name.startsWith('grpc-') ? trailers : headers)[name] = value
  if (stream.closed) return
  if (response.body === null) return stream.respond({ ...headers, ...trailers }, { endStream: true })
  const waitForTrailers = Object.keys(trailers).length > 0
  stream.respond(headers, { waitForTrailers })
  if (waitForTrailers) stream.once('wantTrailers', () => stream.sendTrailers(trailers))
  for await (const chunk of response.body)
    if (!stream.write(chunk)) await once(stream, 'drain', { signal: gone.signal })
  stream.end()
}

async function toRequest(
  stream: ServerHttp2Stream,
  incoming: IncomingHttpHeaders,
  signal: AbortSignal,
): Promise<Request> {
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming))
    if (!name.startsWith(':')) for (const each of [value ?? []].flat()) headers.append(name, each)
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  const method = incoming[':method'] ?? 'GET'
  const url = `http://${incoming[':authority'] ?? '127.0.0.1'}${incoming[':path'] ?? '/'}`
  const body = method === 'GET' || method === 'HEAD' ? null : Buffer.concat(chunks)
  return new Request(url, { method, headers, body, signal })
}
