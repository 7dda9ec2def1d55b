import { randomUUID } from 'node:crypto'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { createFailure, SurefootError } from '../core/failure.ts'
import type { ErrorBody, HttpCode } from './errors.ts'
import { hostsOf, isLoopback } from './safety.ts'

/** A server that listens. */
export interface Listening {
  readonly url: string
  readonly port: number
  /** Stops taking requests, lets running ones finish for `graceMs` (default 5 s), then cuts them. */
  close(graceMs?: number): Promise<void>
}

/** How long a client may take, in milliseconds. */
export interface ListenLimits {
  /** From the first byte of a request to the end of its headers. Default 10 s. */
  readonly headersMs: number
  /** From the first byte of a request to the last of its body. Default 15 min: a splat of 66 MB comes on slow lines too. */
  readonly requestMs: number
  /**
   * Without a byte in either direction. Default 120 s: held answers are silent for 60 s at most and event streams for 15 s,
   * so more silence is a dead peer, or one that does not read.
   */
  readonly idleMs: number
  /** Between requests on one connection. Default 20 s. */
  readonly keepAliveMs: number
  /** How often requests are held to the first two; they may last so much longer. Default 5 s. */
  readonly checkEveryMs: number
}

const usualLimits: ListenLimits = {
  headersMs: 10_000,
  requestMs: 15 * 60_000,
  idleMs: 120_000,
  keepAliveMs: 20_000,
  checkEveryMs: 5_000,
}

export interface ListenOptions {
  /** 0 takes a free one. */
  readonly port: number
  readonly host: string
  readonly publicUrl: string | null
  /** Whether every caller needs a token. Default false: only this machine is served. */
  readonly tokensRequired?: boolean
  readonly limits?: Partial<ListenLimits>
  /** Makes the app once the port is known. `closing` aborts when the server begins to close. */
  app(address: { readonly allowedHosts: readonly string[]; readonly closing: AbortSignal }): {
    fetch(request: Request): Promise<Response>
  }
}

/**
 * Serves an app. Without tokens whoever reaches the port may spend money, so only loopback addresses are served then;
 * others end as a `SurefootError`, as does a port that is taken.
 */
export async function listen({
  port,
  host,
  publicUrl,
  tokensRequired = false,
  limits = {},
  app,
}: ListenOptions): Promise<Listening> {
  if (!tokensRequired && !isLoopback(host)) {
    throw refusal(
      `There is no access token yet, so only this machine is served: ${host} is not a loopback address.`,
      'Make a token with "surefoot token create --name NAME" and start again, or set host to 127.0.0.1.',
    )
  }
  const closing = new AbortController()
  const { headersMs, requestMs, idleMs, keepAliveMs, checkEveryMs } = { ...usualLimits, ...limits }
  const server = createServer({
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: checkEveryMs,
    maxHeaderSize: 16_384,
  })
  server.setTimeout(idleMs, socket => socket.destroy())
  const taken = await bind(server, port, host)
  const { fetch } = app({ allowedHosts: hostsOf(taken, publicUrl), closing: closing.signal })
  const serve = getRequestListener(request => fetch(request), { overrideGlobalObjects: false })
  server.on('request', (request, response) => {
    // Node reads the first and passes the others by; a proxy in front may read the last (RFC 9112, section 3.2: 400).
    if ((request.headersDistinct.host?.length ?? 0) < 2) return void serve(request, response)
    const { status, reason, headers, body } = toRefusal(unreadable)
    response.writeHead(status, reason, headers).end(body)
  })
  const answering = followAnswers(server)
  server.on('clientError', (error, socket) => {
    if (answering(socket)) socket.destroy()
    else refuseUnread(error, socket)
  })

  let closed: Promise<void> | null = null
  return {
    port: taken,
    url: `http://${toHostName(host)}:${taken}`,
    close(graceMs = 5_000) {
      closed ??= new Promise(resolve => {
        const cut = setTimeout(() => server.closeAllConnections(), graceMs)
        server.close(() => {
          clearTimeout(cut)
          resolve()
        })
        closing.abort()
        server.closeIdleConnections()
      })
      return closed
    },
  }
}

/** Where everybody is listened to, this machine reaches us on loopback. */
function toHostName(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/**
 * Tells whether an answer to a whole request is under way on a socket, or has begun: what is then written to it would stand
 * in the middle of that answer, or in its place.
 */
function followAnswers(server: Server): (socket: Duplex) => boolean {
  const open = new WeakMap<Duplex, Set<ServerResponse>>()
  server.on('request', (request, response) => {
    const answers = open.get(request.socket) ?? new Set()
    open.set(request.socket, answers.add(response))
    response.on('close', () => answers.delete(response))
  })
  return socket => [...(open.get(socket) ?? [])].some(({ headersSent, req }) => headersSent || req.complete)
}

/** What Node could not read as a request never comes to the app; it gets the same shape of answer. */
function refuseUnread(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const why =
    error.code === 'HPE_HEADER_OVERFLOW' ? tooLarge : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? tooSlow : unreadable
  const { status, reason, headers, body } = toRefusal(why)
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

type Why = readonly [status: number, reason: string, code: HttpCode, detail: string]

const unreadable: Why = [400, 'Bad Request', 'request_unreadable', 'This is not an HTTP request.']
const tooSlow: Why = [408, 'Request Timeout', 'request_timeout', 'The request took too long to arrive.']
const tooLarge: Why = [
  431,
  'Request Header Fields Too Large',
  'headers_too_large',
  'The headers are larger than 16 kB.',
]

function toRefusal([status, reason, code, detail]: Why) {
  const id = randomUUID()
  const body = JSON.stringify({ detail, status, code, request_id: id } satisfies ErrorBody)
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-request-id': id,
    connection: 'close',
  }
  return { status, reason, headers, body }
}

async function bind(server: Server, port: number, host: string): Promise<number> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'EADDRINUSE') {
      throw refusal(
        `Port ${port} on ${host} is taken by another program.`,
        'Stop it, or set another port: --port, SUREFOOT_PORT, or port in the config.',
        cause,
      )
    }
    throw refusal(`Cannot listen on ${host}:${port}: ${String(code ?? cause)}.`, 'Set another port or host.', cause)
  }
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

function refusal(message: string, advice: string, cause?: unknown): SurefootError {
  return new SurefootError(createFailure('input_invalid', message, { advice, fault: 'config' }), { cause })
}
