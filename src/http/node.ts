import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { createFailure, SurefootError } from '../core/failure.ts'
import type { ErrorBody } from './errors.ts'
import { hostsOf, isLoopback } from './safety.ts'

/** A server that listens. */
export interface Listening {
  readonly url: string
  readonly port: number
  /** Stops taking requests, lets running ones finish for `graceMs` (default 5 s), then cuts them. */
  close(graceMs?: number): Promise<void>
}

export interface ListenOptions {
  /** 0 takes a free one. */
  readonly port: number
  readonly host: string
  readonly publicUrl: string | null
  /** Whether every caller needs a token. Default false: only this machine is served. */
  readonly tokensRequired?: boolean
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
  app,
}: ListenOptions): Promise<Listening> {
  if (!tokensRequired && !isLoopback(host)) {
    throw refusal(
      `There is no access token yet, so only this machine is served: ${host} is not a loopback address.`,
      'Make a token with "surefoot token create --name NAME" and start again, or set host to 127.0.0.1.',
    )
  }
  const closing = new AbortController()
  const server = createServer({
    headersTimeout: 10_000,
    // A photo on a slow line takes minutes; a splat of 66 MB from a kit too.
    requestTimeout: 15 * 60_000,
    keepAliveTimeout: 20_000,
    maxHeaderSize: 16_384,
  })
  // Held answers are silent for 60 s at most and event streams for 15 s: more silence is a dead peer.
  server.setTimeout(120_000, socket => socket.destroy())
  const taken = await bind(server, port, host)
  const { fetch } = app({ allowedHosts: hostsOf(taken, publicUrl), closing: closing.signal })
  server.on('request', getRequestListener(fetch, { overrideGlobalObjects: false }))
  server.on('clientError', refuseUnread)

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

/** What Node could not read as a request never comes to the app; it gets the same shape of answer. */
function refuseUnread(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const [status, reason, code, detail] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ([431, 'Request Header Fields Too Large', 'headers_too_large', 'The headers are larger than 16 kB.'] as const)
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ([408, 'Request Timeout', 'request_timeout', 'The request took too long to arrive.'] as const)
        : ([400, 'Bad Request', 'request_unreadable', 'This is not an HTTP request.'] as const)
  const id = randomUUID()
  const body = JSON.stringify({ detail, status, code, request_id: id } satisfies ErrorBody)
  const lines = [
    `HTTP/1.1 ${status} ${reason}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    "content-security-policy: default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options: nosniff',
    `x-request-id: ${id}`,
    'connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
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
