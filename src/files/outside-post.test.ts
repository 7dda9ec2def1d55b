import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createOutsidePost } from './outside-post.ts'

/** A receiver on loopback that is also reachable as `receiver.test`, and a poster that trusts it under that name. */
async function setup(answer: RequestListener) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host?.split(':')[0]}${request.url}`)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const { port } = server.address() as AddressInfo
  const base = `http://receiver.test:${port}`
  const outside = createOutsidePost({
    trustedOrigins: [base],
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  })
  const message = { headers: { 'content-type': 'application/json', 'webhook-id': 'a' }, body: '{"ä":1}' }
  return { asked, base, port, outside, message: { ...message, signal: new AbortController().signal } }
}

const failsWith = (code: string, message?: RegExp) =>
  expect.objectContaining({
    failure: expect.objectContaining({ code, ...(message && { message: expect.stringMatching(message) }) }),
  })

describe('createOutsidePost', () => {
  it('posts the body with its length and the given headers, and answers the status', async () => {
    const received = Promise.withResolvers<unknown>()
    const { outside, base, port, message } = await setup(async (request, response) => {
      const body = await text(request)
      response.writeHead(202).end()
      received.resolve({ headers: request.headers, body })
    })
    expect(await outside.post(`${base}/hook?token=t`, message)).toBe(202)
    expect(await received.promise).toEqual({
      headers: {
        'content-type': 'application/json',
        'webhook-id': 'a',
        'content-length': '8',
        'user-agent': 'surefoot',
        host: `receiver.test:${port}`,
        connection: 'close',
      },
      body: '{"ä":1}',
    })
  })

  it.each([301, 302, 307, 308])('answers %i and does not follow it', async status => {
    const { outside, base, message, asked } = await setup((_, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end()
    })
    expect(await outside.post(`${base}/hook`, message)).toBe(status)
    expect(asked).toEqual(['POST receiver.test/hook'])
  })

  it("does not wait for an answer's body, and closes the connection", async () => {
    const closed = Promise.withResolvers<void>()
    const { outside, base, message } = await setup((_, response) => {
      response.on('close', closed.resolve)
      response.writeHead(200).write('the beginning of something long')
    })
    expect(await outside.post(base, message)).toBe(200)
    await closed.promise
  })

  it("ends with the signal's reason and closes the connection", async () => {
    const reached = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    const { outside, base, message } = await setup((_, response) => {
      response.on('close', closed.resolve)
      reached.resolve()
    })
    const limit = new AbortController()
    const reason = new Error('15 seconds')
    const outcome = expect(outside.post(base, { ...message, signal: limit.signal })).rejects.toBe(reason)
    await reached.promise
    limit.abort(reason)
    await outcome
    await closed.promise
  })

  it('fails when nobody listens, without the query', async () => {
    const { outside, message, base } = await setup((_, response) => response.socket?.destroy())
    await expect(outside.post(`${base}/hook?token=t`, message)).rejects.toEqual(
      failsWith('provider_unreachable', /^receiver\.test:\d+ could not be reached: ECONNRESET\.$/),
    )
  })
})

describe('createOutsidePost and private networks', () => {
  it.each(['127.0.0.1', '10.1.2.3', '169.254.169.254', '::1', 'fd00::1', '::ffff:127.0.0.1'])(
    'does not connect to a name that resolves to %s',
    async address => {
      const { asked, message, port } = await setup((_, response) => response.end())
      const family = address.includes(':') ? 6 : 4
      const outside = createOutsidePost({ trustedOrigins: [], resolve: async () => [{ address, family }] })
      const url = `http://innocent.test:${port}/?token=t`
      expect(() => outside.check(url)).not.toThrow()
      await expect(outside.post(url, message)).rejects.toEqual(
        failsWith('input_invalid', /^innocent\.test:\d+\/ is not on the public internet/),
      )
      expect(asked).toEqual([])
    },
  )

  it('refuses private addresses and names of this machine by their URL alone, and by the real resolver', async () => {
    const { asked, message, port } = await setup((_, response) => response.end())
    const outside = createOutsidePost({ trustedOrigins: [] })
    for (const host of ['127.0.0.1', '[::1]', '2130706433', '0x7f.1', 'localhost', 'LOCALHOST.', 'a.localhost']) {
      expect(() => outside.check(`http://${host}:${port}/`), host).toThrow(failsWith('input_invalid'))
    }
    for (const host of ['127.0.0.1', 'localhost'])
      await expect(outside.post(`http://${host}:${port}/`, message)).rejects.toEqual(failsWith('input_invalid'))
    for (const url of ['ftp://example.com/', 'http://user:hush@example.com/', '/hook'])
      expect(() => outside.check(url), url).toThrow(failsWith('input_invalid'))
    expect(() => outside.check('https://example.com/hook')).not.toThrow()
    expect(asked).toEqual([])
  })

  it('posts to a trusted origin, and to no other port of it', async () => {
    const { message, port } = await setup((_, response) => response.end())
    const outside = createOutsidePost({ trustedOrigins: [`http://127.0.0.1:${port}`] })
    expect(() => outside.check(`http://127.0.0.1:${port}/hook`)).not.toThrow()
    expect(await outside.post(`http://127.0.0.1:${port}/hook`, message)).toBe(200)
    expect(() => outside.check(`http://127.0.0.1:${port + 1}/hook`)).toThrow(failsWith('input_invalid'))
  })
})
