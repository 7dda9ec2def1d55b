import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { createFailure, SurefootError } from '../core/failure.ts'
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
  /** Makes the app once the port is known. `closing` aborts when the server begins to close. */
  app(address: { readonly allowedHosts: readonly string[]; readonly closing: AbortSignal }): {
    fetch(request: Request): Promise<Response>
  }
}

/**
 * Serves an app on this machine. Without tokens whoever reaches the port may spend money, so only loopback addresses are
 * served; others end as a `SurefootError`, as does a port that is taken.
 */
export async function listen({ port, host, publicUrl, app }: ListenOptions): Promise<Listening> {
  if (!isLoopback(host)) {
    throw refusal(
      `Surefoot has no access tokens yet, so it serves this machine only: ${host} is not a loopback address.`,
      'Set host to 127.0.0.1; put a reverse proxy with its own login in front to be reached from elsewhere.',
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

  let closed: Promise<void> | null = null
  return {
    port: taken,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
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
