import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { SurefootError } from '../core/failure.ts'
import { type ListenOptions, listen } from './node.ts'

async function serve(fetch: (request: Request) => Promise<Response>, over: Partial<ListenOptions> = {}) {
  const given: { hosts: readonly string[]; closing?: AbortSignal } = { hosts: [] }
  const server = await listen({
    port: 0,
    host: '127.0.0.1',
    publicUrl: null,
    app({ allowedHosts, closing }) {
      given.hosts = allowedHosts
      given.closing = closing
      return { fetch }
    },
    ...over,
  })
  onTestFinished(() => server.close(0))
  return { server, given }
}

test('serves on loopback and tells the app its hosts', async () => {
  const { server, given } = await serve(async request => new Response(new URL(request.url).pathname))
  expect(given.hosts).toEqual([`127.0.0.1:${server.port}`, `localhost:${server.port}`, `[::1]:${server.port}`])
  expect(await (await fetch(`${server.url}/path`)).text()).toBe('/path')
})

test.each(['0.0.0.0', '::', '192.168.1.10', 'gateway.example', '127.0.0.1.example'])(
  'refuses to serve %s without tokens',
  async host => {
    const error = await serve(async () => new Response(), { host }).catch((caught: unknown) => caught)
    expect(SurefootError.is(error) && error.failure).toMatchObject({
      fault: 'config',
      message: expect.stringContaining('not a loopback address'),
    })
  },
)

test('says that a port is taken', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  await expect(serve(async () => new Response(), { port })).rejects.toThrow(`Port ${port} on 127.0.0.1 is taken`)
})

test('closing tells the app, lets a running request finish and takes no more', async () => {
  const answer = Promise.withResolvers<Response>()
  const arrived = Promise.withResolvers<void>()
  const { server, given } = await serve(() => {
    arrived.resolve()
    return answer.promise
  })
  const running = fetch(server.url)
  await arrived.promise
  const closed = server.close(60_000)
  expect(given.closing?.aborted).toBe(true)
  await expect(fetch(server.url)).rejects.toThrow()
  answer.resolve(new Response('done', { headers: { connection: 'close' } }))
  expect(await (await running).text()).toBe('done')
  await closed
})

test('closing cuts what outlives its grace, idle sockets at once', async () => {
  const arrived = Promise.withResolvers<void>()
  const { server } = await serve(() => {
    arrived.resolve()
    return new Promise(() => {})
  })
  const idle = connect(server.port, '127.0.0.1')
  await once(idle, 'connect')
  const running = fetch(server.url).catch(() => 'cut')
  await arrived.promise
  const idleClosed = once(idle, 'close')
  await server.close(0)
  await idleClosed
  expect(await running).toBe('cut')
})

test('a caller that goes away ends its request', async () => {
  const arrived = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  const { server } = await serve(request => {
    request.signal.addEventListener('abort', () => gone.resolve())
    arrived.resolve()
    return new Promise(() => {})
  })
  const leaving = new AbortController()
  const left = fetch(server.url, { signal: leaving.signal }).catch(() => 'left')
  await arrived.promise
  leaving.abort()
  await gone.promise
  expect(await left).toBe('left')
})
