import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../engine/clock.ts'
import { createApp } from '../app.ts'
import { createLinks } from '../links.ts'
import { type ListenLimits, listen } from '../node.ts'
import { origin, setup } from '../test-support.ts'

const megabyte = 1_000_000

/** The real front on a real port, with a stored output that is a SHARP splat by its size and is made as it is read. */
async function serve(limits: Partial<ListenLimits>) {
  const front = await setup()
  const output = { pulled: 0, letGo: Promise.withResolvers<void>() }
  const size = 66 * megabyte
  const files = {
    ...front.files,
    stat: async () => ({ bytes: size }),
    open: async () => ({
      bytes: size,
      total: size,
      body: new ReadableStream<Uint8Array>({
        pull(controller) {
          output.pulled += 64_000
          controller.enqueue(new Uint8Array(64_000))
        },
        cancel: () => output.letGo.resolve(),
      }),
    }),
  }
  const server = await listen({
    port: 0,
    host: '127.0.0.1',
    publicUrl: null,
    limits,
    app: ({ allowedHosts, closing }) =>
      createApp({
        ...{ ...front.deps, files, closing, clock: systemClock },
        allowedHosts: [...front.deps.allowedHosts, ...allowedHosts],
      }),
  })
  onTestFinished(() => server.close(0))
  const stored = { key: 'out', name: 'scene.ply', mediaType: 'application/octet-stream', bytes: size, sha256: 'a' }
  await front.add({ id: 'p1', status: 'succeeded', output: { ...stored, facts: {} } })
  await front.add({ id: 'p2' })
  const { record } = (await front.store.get('p1')) ?? expect.fail('no prediction')
  const link = createLinks({ ...front.deps, clock: systemClock }, origin).output(record) ?? ''
  return {
    ...server,
    front,
    output,
    download: link.slice(origin.length),
    async othersAreServed() {
      expect((await fetch(`${server.url}/v1/models`)).status).toBe(200)
    },
  }
}

/** A client that says something and then does as the test wants; `ended` when the server ends the connection. */
function client(port: number, text: string) {
  const socket: Socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.setEncoding('latin1')
  socket.on('error', () => {})
  const heard = { text: '' }
  socket.on('data', (chunk: string) => {
    heard.text += chunk
  })
  socket.write(text)
  return { socket, heard, ended: new Promise<void>(resolve => socket.once('close', () => resolve())) }
}

const head = (path: string, method = 'GET') => `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:8787\r\n`

describe('a client that sends slowly', () => {
  test.each([
    ['no byte at all', ''],
    ['half a request line', 'GET /v1/mod'],
    ['headers without an end', `${head('/v1/models')}x: y\r\n`],
  ])('%s: is cut off, and others are served meanwhile', async (_, text) => {
    const { port, othersAreServed } = await serve({ headersMs: 100, idleMs: 200, checkEveryMs: 20 })
    const { heard, ended } = client(port, text)
    await othersAreServed()
    await ended
    expect(heard.text === '' || /^HTTP\/1\.1 408 /.test(heard.text)).toBe(true)
    await othersAreServed()
  })

  test.each([
    ['a prediction', head('/v1/predictions', 'POST'), 'content-type: application/json\r\n', '{"a'],
    [
      'a form',
      head('/v1/files', 'POST'),
      'content-type: multipart/form-data; boundary=b\r\n',
      '--b\r\ncontent-disposition: form-data; name="content"; filename="a.png"\r\n\r\nbytes',
    ],
  ])('the body of %s drop by drop: is cut off by the clock, and leaves nothing', async (_, line, type, start) => {
    const { port, front, othersAreServed } = await serve({ headersMs: 100, requestMs: 200, checkEveryMs: 20 })
    const { socket, heard, ended } = client(port, `${line}${type}content-length: 5000\r\n\r\n${start}`)
    const dripping = setInterval(() => socket.writable && socket.write('x'), 10)
    onTestFinished(() => clearInterval(dripping))
    await othersAreServed()
    await ended
    expect(heard.text).toMatch(/^HTTP\/1\.1 408 /)
    expect(await front.store.listFiles({ owner: 'local', limit: 10 })).toEqual([])
  })

  test('a body whose sender has been refused is not taken for ever', async () => {
    const { port } = await serve({ headersMs: 100, requestMs: 300, checkEveryMs: 20 })
    const { socket, heard, ended } = client(
      port,
      `${head('/v1/predictions', 'POST')}content-type: text/plain\r\ncontent-length: 9000000000\r\n\r\n`,
    )
    const pouring = setInterval(() => socket.writable && socket.write('x'.repeat(100_000)), 5)
    onTestFinished(() => clearInterval(pouring))
    await ended
    expect(heard.text).toMatch(/^(HTTP\/1\.1 (415|408) |$)/)
  })
})

describe('a client that does not read', () => {
  test('a download of 66 MB: no more is read from the store than the line takes, and the file is let go', async () => {
    const { port, output, download, othersAreServed } = await serve({ idleMs: 500 })
    const { socket, ended } = client(port, `${head(download)}\r\n`)
    await once(socket, 'data')
    socket.pause()
    await othersAreServed()
    await output.letGo.promise
    // What the kernel's buffers of both ends hold, not what the file has.
    expect(output.pulled).toBeLessThan(33 * megabyte)
    socket.resume()
    await ended
  })

  test('an event stream: is written to no further than the line takes, and is cut off', async () => {
    const { port, front, othersAreServed } = await serve({ idleMs: 500 })
    const { socket, heard, ended } = client(port, `${head('/v1/predictions/p2/events')}\r\n`)
    await once(socket, 'data')
    socket.pause()
    const mark = 'x'.repeat(megabyte)
    for (let count = 0; count < 30; count++) {
      await front.change('p2', { progress: { stage: `${count}${mark}`, fraction: count / 30 } })
      await othersAreServed()
    }
    await othersAreServed()
    socket.resume()
    await ended
    expect(heard.text.length).toBeLessThan(30 * megabyte)
  })
})
