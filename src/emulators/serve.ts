import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createListener, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Emulator } from './contract.ts'
import { createHttp2Server, isHttp2 } from './serve-grpc.ts'

export interface ServedEmulator {
  /** `http://127.0.0.1:port` */
  readonly origin: string
  readonly port: number
  /** Closes the emulator, its connections and the port. */
  close(): Promise<void>
}

/**
 * Serves an emulator on 127.0.0.1 by HTTP/1.1, and by HTTP/2 for gRPC's clients; port 0 takes a free one. Where its
 * function rejects, the connection is cut.
 */
export async function serveEmulator(emulator: Emulator, port: number = 0): Promise<ServedEmulator> {
  const server = createServer((incoming, outgoing) => {
    void respond(emulator, incoming, outgoing).catch(() => outgoing.destroy())
  })
  const http2 = createHttp2Server(emulator)
  const sockets = new Set<Socket>()
  const listener = createListener(socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.once('data', (first: Buffer) => {
      // Whoever takes the connection reads it from its beginning.
      socket.pause()
      socket.unshift(first)
      if (isHttp2(first)) return http2.emit('connection', socket)
      server.emit('connection', socket)
      socket.resume()
    })
  })
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(port, '127.0.0.1', () => resolve())
  })
  const address = listener.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${address.port}`,
    port: address.port,
    async close() {
      emulator.close()
      const done = new Promise<void>(resolve => listener.close(() => resolve()))
      for (const socket of sockets) socket.destroy()
      await done
    },
  }
}

async function respond(emulator: Emulator, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController()
  outgoing.once('close', () => gone.abort(new Error('the caller went away')))
  const response = await emulator.fetch(toRequest(incoming, gone.signal))
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  if (response.body === null) outgoing.end()
  else await pipeline(Readable.fromWeb(response.body), outgoing)
}

function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming.headers))
    for (const each of Array.isArray(value) ? value : [value ?? '']) headers.append(name, each)
  const url = `http://${incoming.headers.host ?? '127.0.0.1'}${incoming.url ?? '/'}`
  const method = incoming.method ?? 'GET'
  const body = method === 'GET' || method === 'HEAD' ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>)
  return new Request(url, { method, headers, body, signal, duplex: 'half' })
}
