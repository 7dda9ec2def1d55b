import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSimulatedClock, settle } from '../testing/clock.ts'
import type { DownloadOptions, Resumption } from './contract.ts'
import { createDownload } from './download.ts'

const loopback = [{ address: '127.0.0.1', family: 4 }]

/** A server on loopback that is also reachable as `files.test`, and a downloader that trusts it under that name. */
async function setup(answer: RequestListener) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.headers.host?.split(':')[0]}${request.url}`)
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
  const base = `http://files.test:${port}`
  const resolved: string[] = []
  const clock = createSimulatedClock()
  const download = createDownload({
    clock,
    async resolve(hostname) {
      resolved.push(hostname)
      return loopback
    },
  })
  const controller = new AbortController()
  const options: DownloadOptions = { maxBytes: 1_000, trustedOrigins: [base], signal: controller.signal }
  const readWhole = async (path: string, over: Partial<DownloadOptions> = {}) => {
    const { body, ...head } = await download(base + path, { ...options, ...over })
    return { ...head, text: await text(body) }
  }
  return { base, port, asked, resolved, clock, controller, options, download, readWhole }
}

const failsWith = (code: string, message?: string | RegExp) =>
  expect.objectContaining({
    failure: expect.objectContaining({ code, ...(message && { message: expect.stringMatching(message) }) }),
  })

describe('createDownload', () => {
  it('streams a file with its type, length and name, and asks for it plain and without anything of ours', async () => {
    const { readWhole, port } = await setup((request, response) => {
      response.setHeader('content-type', 'Image/JPEG; charset=x')
      response.end(JSON.stringify({ ...request.headers, length: undefined }))
    })
    const { text: body, ...head } = await readWhole('/a/photo%201.jpg?signature=s')
    expect(head).toEqual({ mediaType: 'image/jpeg', bytes: body.length, name: 'photo 1.jpg' })
    expect(JSON.parse(body)).toEqual({
      accept: '*/*',
      'accept-encoding': 'identity',
      'user-agent': 'surefoot',
      host: `files.test:${port}`,
      connection: 'close',
    })
  })

  it('answers null for type and length that are not stated', async () => {
    const { readWhole } = await setup((_, response) => {
      response.write('a')
      response.end('b')
    })
    expect(await readWhole('/')).toEqual({ mediaType: null, bytes: null, name: 'file', text: 'ab' })
  })

  it('takes exactly maxBytes and refuses one more, by the stated length or while it streams', async () => {
    const { readWhole } = await setup((request, response) => {
      const [, bytes, how] = request.url?.split('/') ?? []
      if (how === 'stated') response.setHeader('content-length', Number(bytes))
      response.write('x'.repeat(500))
      response.end('x'.repeat(Number(bytes) - 500))
    })
    expect((await readWhole('/1000/stated')).text).toHaveLength(1_000)
    expect((await readWhole('/1000/streamed')).text).toHaveLength(1_000)
    await expect(readWhole('/1001/stated')).rejects.toEqual(failsWith('input_too_large'))
    await expect(readWhole('/1001/streamed?secret')).rejects.toEqual(
      failsWith('input_too_large', /^files\.test:\d+\/1001\/streamed is larger than the allowed 1000 bytes\.$/),
    )
  })

  it.each([
    ['a body shorter than stated', { 'content-length': '10' }],
    ['a chunked body that is cut', { 'transfer-encoding': 'chunked' }],
  ])('fails on %s', async (_, headers) => {
    const { readWhole } = await setup((_request, response) => {
      response.writeHead(200, headers)
      response.write('abc', () => response.destroy())
    })
    await expect(readWhole('/x?secret')).rejects.toEqual(
      failsWith('provider_unreachable', /^files\.test:\d+\/x could not/),
    )
  })

  it.each([
    [404, 'input_invalid'],
    [410, 'input_invalid'],
    [403, 'input_invalid'],
    [204, 'input_invalid'],
    [206, 'input_invalid'],
    [304, 'input_invalid'],
    [429, 'provider_unreachable'],
    [408, 'provider_unreachable'],
    [500, 'provider_unreachable'],
    [503, 'provider_unreachable'],
  ])('takes an answer of %i for %s', async (status, code) => {
    const { readWhole } = await setup((_, response) => response.writeHead(status).end())
    await expect(readWhole('/')).rejects.toEqual(failsWith(code, `${status}`))
  })

  it('refuses a body that comes compressed although it was asked not to', async () => {
    const { readWhole } = await setup((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'))
    await expect(readWhole('/')).rejects.toEqual(failsWith('input_invalid', 'gzip'))
  })

  it('fails when nobody listens, and when the name does not exist', async () => {
    const { options, port } = await setup((_, response) => response.end())
    const dead = createServer().listen(0, '127.0.0.1')
    await once(dead, 'listening')
    const free = (dead.address() as AddressInfo).port
    dead.close()
    const trusted = { ...options, trustedOrigins: [`http://127.0.0.1:${free}`, `http://nobody.test:${port}`] }
    const unknown = async () => {
      throw Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })
    }
    await expect(createDownload()(`http://127.0.0.1:${free}/`, trusted)).rejects.toEqual(
      failsWith('provider_unreachable', 'ECONNREFUSED'),
    )
    await expect(createDownload({ resolve: unknown })(`http://nobody.test:${port}/`, trusted)).rejects.toEqual(
      failsWith('provider_unreachable', 'ENOTFOUND'),
    )
  })
})

describe('createDownload and private networks', () => {
  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '100.64.0.1',
    '::1',
    'fe80::1%eth0',
    'fd00::1',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'nonsense',
  ])('does not connect to a name that resolves to %s', async address => {
    const { asked, options, port } = await setup((_, response) => response.end('inside'))
    const download = createDownload({ resolve: async () => [{ address, family: address.includes(':') ? 6 : 4 }] })
    await expect(download(`http://innocent.test:${port}/?secret`, options)).rejects.toEqual(
      failsWith('input_invalid', /^innocent\.test:\d+\/ is not on the public internet/),
    )
    expect(asked).toEqual([])
  })

  it('refuses localhost and loopback addresses by the real resolver', async () => {
    const { asked, options, port } = await setup((_, response) => response.end('inside'))
    for (const host of ['localhost', '127.0.0.1', '[::1]', '2130706433'])
      await expect(createDownload()(`http://${host}:${port}/`, options)).rejects.toEqual(failsWith('input_invalid'))
    expect(asked).toEqual([])
  })

  it('looks a name up once per request: a second, private answer is never asked for', async () => {
    const { asked, options, port } = await setup((_, response) => response.end('inside'))
    const answers = ['192.0.2.1', '127.0.0.1']
    const download = createDownload({ resolve: async () => [{ address: answers.shift() ?? '', family: 4 }] })
    await expect(download(`http://rebind.test:${port}/`, options)).rejects.toEqual(failsWith('input_invalid'))
    expect(answers).toEqual(['127.0.0.1'])
    expect(asked).toEqual([])
  })

  it('trusts an origin, not a host: another port of it stays closed', async () => {
    const { download, base, port, options } = await setup((_, response) => response.end('inside'))
    const other = { ...options, trustedOrigins: [`http://files.test:${port + 1}`] }
    await expect(download(`${base}/`, other)).rejects.toEqual(failsWith('input_invalid'))
  })
})

describe('createDownload and redirects', () => {
  const redirectTo = (response: ServerResponse, location: string, status = 302) =>
    response.writeHead(status, { location }).end('elsewhere')

  it.each([301, 302, 303, 307, 308])('follows %i and keeps the name of the first URL', async status => {
    const { readWhole } = await setup((request, response) =>
      request.url === '/first.ply' ? redirectTo(response, '../second?x', status) : response.end('here'),
    )
    expect(await readWhole('/first.ply')).toMatchObject({ text: 'here', name: 'first.ply' })
  })

  it('follows five redirects and refuses the sixth', async () => {
    const { readWhole, asked } = await setup((request, response) => {
      const left = Number(request.url?.slice(1))
      if (left === 0) response.end('here')
      else redirectTo(response, `/${left - 1}`)
    })
    expect((await readWhole('/5')).text).toBe('here')
    asked.length = 0
    await expect(readWhole('/6')).rejects.toEqual(failsWith('input_invalid', 'more than 5 times'))
    expect(asked).toHaveLength(6)
  })

  it.each([
    ['a loopback address', (port: number) => `http://127.0.0.1:${port}/inside`],
    ['an address in another form', (port: number) => `http://2130706433:${port}/inside`],
    ['a name inside', (port: number) => `http://inside.test:${port}/inside`],
    ['a file', () => 'file:///etc/passwd'],
    ['a URL with credentials', (port: number) => `http://user:hush@files.test:${port}/inside`],
    ['nowhere', () => ''],
  ])('does not follow a redirect to %s', async (_, location) => {
    const { readWhole, asked, port } = await setup((request, response) => {
      if (request.url === '/') response.writeHead(302, location(port) === '' ? {} : { location: location(port) }).end()
      else response.end('inside')
    })
    await expect(readWhole('/')).rejects.toEqual(failsWith('input_invalid'))
    expect(asked).toEqual(['files.test/'])
  })
})

describe('createDownload and time', () => {
  it('gives up on an answer that does not come in 30 seconds, not before', async () => {
    const { promise: reached, resolve } = Promise.withResolvers<void>()
    const { readWhole, clock } = await setup(() => resolve())
    let ended = false
    const outcome = expect(readWhole('/slow').finally(() => (ended = true))).rejects.toEqual(
      failsWith(
        'provider_unreachable',
        /^files\.test:\d+\/slow could not be fetched: no answer came for 30 seconds\.$/,
      ),
    )
    await reached
    await clock.advance(29_999)
    expect(ended).toBe(false)
    await clock.advance(1)
    await outcome
    expect(clock.waiting).toBe(0)
  })

  it('gives up on bytes that do not come in 30 seconds; the time of the reader does not count', async () => {
    const { download, clock, base, options } = await setup((_, response) => response.writeHead(200).write('first'))
    const { body } = await download(`${base}/stalls`, options)
    const chunks = body[Symbol.asyncIterator]()
    expect(String((await chunks.next()).value)).toBe('first')
    await clock.advance(3_600_000)
    let ended = false
    const outcome = expect(chunks.next().finally(() => (ended = true))).rejects.toEqual(
      failsWith('provider_unreachable', 'no bytes came for 30 seconds'),
    )
    await settle()
    await clock.advance(29_999)
    expect(ended).toBe(false)
    await clock.advance(1)
    await outcome
    expect(clock.waiting).toBe(0)
  })

  it("ends with the caller's reason and closes the connection, before the answer and within the body", async () => {
    const { promise: reached, resolve } = Promise.withResolvers<void>()
    const closed: Promise<unknown>[] = []
    const { download, base, options } = await setup((request, response) => {
      closed.push(once(response, 'close'))
      if (request.url === '/body') response.writeHead(200).write('first')
      else resolve()
    })
    const reason = new Error('deadline')
    const early = new AbortController()
    const head = expect(download(`${base}/head`, { ...options, signal: early.signal })).rejects.toBe(reason)
    await reached
    early.abort(reason)
    await head

    const late = new AbortController()
    const { body } = await download(`${base}/body`, { ...options, signal: late.signal })
    const chunks = body[Symbol.asyncIterator]()
    await chunks.next()
    const next = expect(chunks.next()).rejects.toBe(reason)
    late.abort(reason)
    await next
    await Promise.all(closed)
  })

  it('asks nothing when it was aborted before it began', async () => {
    const { download, base, options, asked } = await setup((_, response) => response.end())
    await expect(download(base, { ...options, signal: AbortSignal.abort('over') })).rejects.toBe('over')
    expect(asked).toEqual([])
  })

  it('closes the connection when the reader leaves early', async () => {
    const closed = Promise.withResolvers<void>()
    const { download, base, options } = await setup((_, response) => {
      response.on('close', closed.resolve)
      response.writeHead(200).write('first')
    })
    const { body } = await download(base, options)
    for await (const _ of body) break
    await closed.promise
  })
})

describe('a body that is cut off', () => {
  const whole = 'abcdefghijklmnopqrstuvwxyz'

  /** Sends three bytes of the file at a time and cuts the connection, as often as it is asked. */
  async function setupCuts(over: (asked: number) => { etag?: string; contentRange?: string; ignoresRange?: boolean }) {
    const ranges: (string | undefined)[] = []
    const stage = await setup((request, response) => {
      const { range } = request.headers
      const { etag = '"v1"', contentRange, ignoresRange = false } = over(ranges.length)
      ranges.push(range)
      const from = range === undefined || ignoresRange ? 0 : Number(/^bytes=(\d+)-$/.exec(range)?.[1])
      const stated = contentRange ?? `bytes ${from}-${whole.length - 1}/${whole.length}`
      response.writeHead(from === 0 ? 200 : 206, {
        ...(etag === '' ? {} : { etag }),
        'content-length': whole.length - from,
        ...(from === 0 ? {} : { 'content-range': stated }),
      })
      response.write(whole.slice(from, from + 3), () => from + 3 < whole.length && response.destroy())
      if (from + 3 >= whole.length) response.end()
    })
    return { ...stage, ranges }
  }

  it('goes on where it ended', async () => {
    const { readWhole, ranges } = await setupCuts(() => ({}))
    expect(await readWhole('/scene.ply')).toMatchObject({ text: whole, bytes: 26 })
    expect(ranges).toEqual([undefined, ...[3, 6, 9, 12, 15, 18, 21, 24].map(from => `bytes=${from}-`)])
  })

  it.each([
    ['the file has no strong ETag', () => ({ etag: 'W/"v1"' })],
    ['the file has no ETag', () => ({ etag: '' })],
    ['its server sends it from the beginning', () => ({ ignoresRange: true })],
    ['its server sends another part', () => ({ contentRange: 'bytes 4-25/26' })],
    ['the file has grown', () => ({ contentRange: 'bytes 3-26/27' })],
  ] as const)('is an error where %s', async (_, over) => {
    const { readWhole, ranges } = await setupCuts(over)
    await expect(readWhole('/scene.ply')).rejects.toEqual(failsWith('provider_unreachable'))
    expect(ranges.length).toBeLessThan(3)
  })

  it('is given up after ten more tries', async () => {
    const { download, base, options } = await setup((request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '0')?.[0])
      const rest = { 'content-range': `bytes ${from}-99/100` }
      response.writeHead(from === 0 ? 200 : 206, { etag: '"v1"', 'content-length': 100 - from, ...(from > 0 && rest) })
      response.write('x', () => response.destroy())
    })
    const { body } = await download(base, options)
    let received = 0
    const reading = (async () => {
      for await (const chunk of body) received += chunk.length
    })()
    await expect(reading).rejects.toEqual(failsWith('provider_unreachable'))
    expect(received).toBe(11)
  })

  it('goes on only where its server leads to a public address again', async () => {
    const { readWhole, port } = await setup((request, response) => {
      if (request.headers.range !== undefined)
        return void response.writeHead(302, { location: `http://127.0.0.1:${port}/private` }).end()
      response.writeHead(200, { etag: '"v1"', 'content-length': 26 })
      response.write('abc', () => response.destroy())
    })
    await expect(readWhole('/scene.ply')).rejects.toEqual(failsWith('input_invalid'))
  })
})

describe('the rest of a file', () => {
  const whole = 'abcdefghijklmnopqrstuvwxyz'
  const after: Resumption = { from: 10, total: 26, validator: '"v1"' }

  /** A server that answers one request for a range as it is told, and any other with the whole file. */
  async function setupRest(toRange: (response: ServerResponse) => void) {
    const asked: (readonly [string | undefined, unknown])[] = []
    const stage = await setup((request, response) => {
      const { range } = request.headers
      asked.push([range, request.headers['if-range']])
      if (range === undefined) sendWhole(response, '"v2"')
      else toRange(response)
    })
    return { ...stage, asked }
  }
  const sendWhole = (response: ServerResponse, etag: string) =>
    response.writeHead(200, { etag, 'content-length': whole.length }).end(whole)
  const sendRest = (response: ServerResponse, over: { [name: string]: string } = {}) =>
    response.writeHead(206, { 'content-range': 'bytes 10-25/26', etag: '"v1"', ...over }).end(whole.slice(10))

  it('is all that is asked for, where its beginning is there', async () => {
    const { readWhole, asked } = await setupRest(response => sendRest(response))
    expect(await readWhole('/scene.ply', { after })).toEqual({
      text: whole.slice(10),
      mediaType: null,
      bytes: 26,
      name: 'scene.ply',
      resumption: after,
    })
    expect(asked).toEqual([['bytes=10-', '"v1"']])
  })

  it.each<readonly [string, (response: ServerResponse) => void, string]>([
    ['has changed', response => sendWhole(response, '"v2"'), '"v2"'],
    ['comes from a server without ranges', response => sendWhole(response, '"v1"'), '"v1"'],
    ['comes as another part', response => sendRest(response, { 'content-range': 'bytes 9-25/26' }), '"v2"'],
    ['has grown', response => sendRest(response, { 'content-range': 'bytes 10-26/27' }), '"v2"'],
    ['has changed, and If-Range is not known', response => sendRest(response, { etag: '"v2"' }), '"v2"'],
    ['comes compressed', response => sendRest(response, { 'content-encoding': 'gzip' }), '"v2"'],
    ['is said to have no such range', response => response.writeHead(416).end(), '"v2"'],
  ])('is not taken where it %s: the file comes whole', async (_, toRange, validator) => {
    const { readWhole } = await setupRest(toRange)
    expect(await readWhole('/scene.ply', { after })).toMatchObject({
      text: whole,
      bytes: 26,
      resumption: { from: 0, total: 26, validator },
    })
  })

  it.each([
    [404, 'input_invalid'],
    [503, 'provider_unreachable'],
  ])('is not asked for again where its server answers %i', async (status, code) => {
    const { readWhole, asked } = await setupRest(response => response.writeHead(status).end())
    await expect(readWhole('/scene.ply', { after })).rejects.toEqual(failsWith(code, `${status}`))
    expect(asked).toHaveLength(1)
  })

  it('is refused where the whole would be too large', async () => {
    const { readWhole } = await setupRest(response => sendRest(response))
    await expect(readWhole('/', { after, maxBytes: 25 })).rejects.toEqual(failsWith('input_too_large'))
  })

  it('that is cut off goes on where it ended, and is held to the length of the whole', async () => {
    const froms: number[] = []
    const { readWhole } = await setup((request, response) => {
      const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0])
      froms.push(from)
      response.writeHead(206, { 'content-range': `bytes ${from}-25/26`, etag: '"v1"', 'content-length': 26 - from })
      response.write(whole.slice(from, from + 8), () => from + 8 < 26 && response.destroy())
      if (from + 8 >= 26) response.end()
    })
    expect((await readWhole('/scene.ply', { after })).text).toBe(whole.slice(10))
    expect(froms).toEqual([10, 18])
    const short = await setupRest(response => {
      response.writeHead(206, { 'content-range': 'bytes 10-25/26', etag: '"v1"' }).end('klm')
    })
    await expect(short.readWhole('/scene.ply', { after })).rejects.toEqual(failsWith('provider_unreachable'))
  })

  it.each(['W/"v1"', undefined])('cannot be asked for later where the file has the ETag %s', async etag => {
    const { readWhole } = await setup((_, response) =>
      response.writeHead(200, { 'content-length': 26, ...(etag !== undefined && { etag }) }).end(whole),
    )
    expect(await readWhole('/scene.ply')).not.toHaveProperty('resumption')
  })
})
