import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../node.ts'

/** Serves an echo, and tells which requests came to it. */
async function serve() {
  const seen: string[] = []
  const held = Promise.withResolvers<void>()
  const server = await listen({
    port: 0,
    host: '127.0.0.1',
    publicUrl: null,
    app: () => ({
      async fetch(request) {
        const { pathname } = new URL(request.url)
        const body = await request.text().catch(() => 'cut')
        seen.push(`${request.method} ${pathname} ${body}`)
        if (pathname === '/slow') await held.promise
        return new Response(`<${pathname}>`)
      },
    }),
  })
  onTestFinished(() => server.close(0))
  return { ...server, seen, release: held.resolve }
}

/** Writes to a plain socket, and answers what comes back until the other side ends it. */
async function speak(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.setEncoding('latin1')
  let answer = ''
  socket.on('error', () => {})
  socket.on('data', (chunk: string) => {
    answer += chunk
  })
  socket.write(text)
  await new Promise<void>(resolve => socket.once('close', () => resolve()))
  return answer
}

const statuses = (answer: string) => [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))
const smuggled = 'GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n'

describe('a request that two readers could cut in two ways is read by none', () => {
  test.each<[string, string]>([
    ['two lengths that differ', `content-length: 0\r\ncontent-length: ${smuggled.length}\r\n\r\n${smuggled}`],
    ['two lengths that agree', `content-length: 2\r\ncontent-length: 2\r\n\r\nhi${smuggled}`],
    ['a list of lengths', `content-length: 2, 2\r\n\r\nhi${smuggled}`],
    ['a length and chunks', `content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['chunks and a length', `transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a length with a sign', `content-length: +2\r\n\r\nhi${smuggled}`],
    ['a negative length', `content-length: -2\r\n\r\nhi${smuggled}`],
    ['a length in hex', `content-length: 0x2\r\n\r\nhi${smuggled}`],
    ['a length beyond numbers', `content-length: ${'9'.repeat(30)}\r\n\r\nhi${smuggled}`],
    ['chunked that is not the last coding', `transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`],
    ['chunked twice', `transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a coding nobody knows', `transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a blank before the colon', `transfer-encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a folded header', `transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a bare carriage return', `x: y\rcontent-length: 5\r\n\r\nhello${smuggled}`],
    ['NUL in a header', `x: a\0b\r\n\r\n${smuggled}`],
    ['a chunk size that is none', `transfer-encoding: chunked\r\n\r\nzz\r\n\r\n${smuggled}`],
    ['a chunk size beyond numbers', `transfer-encoding: chunked\r\n\r\n${'f'.repeat(20)}\r\n\r\n${smuggled}`],
    ['a chunk that is longer than it says', `transfer-encoding: chunked\r\n\r\n1\r\nhello\r\n0\r\n\r\n${smuggled}`],
  ])('%s', async (_, rest) => {
    const { port, seen } = await serve()
    const answer = await speak(port, `POST /front HTTP/1.1\r\nhost: x\r\n${rest}`)
    expect(seen.filter(each => each.includes('smuggled'))).toEqual([])
    expect(statuses(answer).filter(status => status !== 400)).toEqual([])
    expect(answer).not.toContain('<')
  })

  test('a request without a host, and one with two', async () => {
    const { port, seen } = await serve()
    for (const hosts of ['', 'host: a\r\nhost: b\r\n'])
      expect(statuses(await speak(port, `GET /x HTTP/1.1\r\n${hosts}connection: close\r\n\r\n`))).toEqual([400])
    expect(seen).toEqual([])
  })

  test('an upgrade is no way past: the request is answered as it is', async () => {
    const { port } = await serve()
    const upgrade = 'connection: upgrade, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n'
    expect(statuses(await speak(port, `GET /x HTTP/1.1\r\nhost: x\r\n${upgrade}\r\n`))).toEqual([200])
  })
})

describe('pipelined requests', () => {
  test('are answered each, in their order', async () => {
    const { port } = await serve()
    const paths = Array.from({ length: 200 }, (_, index) => `/p${index}`)
    const requests = paths.map(path => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join('')
    const answer = await speak(port, `${requests}GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    expect([...answer.matchAll(/<(.*?)>/g)].map(([, path]) => path)).toEqual([...paths, '/last'])
  })

  test('of which one is broken: no refusal takes the place of the answer before it', async () => {
    const { port, release, seen } = await serve()
    const socket = connect(port, '127.0.0.1')
    socket.setEncoding('latin1')
    let answer = ''
    socket.on('error', () => {})
    socket.on('data', (chunk: string) => {
      answer += chunk
    })
    socket.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\nTHIS IS NOT HTTP\r\n\r\n')
    await new Promise<void>(resolve => socket.once('close', () => resolve()))
    release()
    expect([seen, answer]).toEqual([['GET /slow '], ''])
  })
})

describe('headers', () => {
  test('beyond 16 kB are refused, however many they are', async () => {
    const { port, seen } = await serve()
    const heads = [
      `/x HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(50_000)}`,
      `/x HTTP/1.1\r\nhost: x\r\na: ${'b'.repeat(100_000)}\r\n`,
      `/x HTTP/1.1\r\nhost: x\r\n${'a'.repeat(20_000)}: b\r\n`,
      `/${'x'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n`,
    ]
    // Whoever still sends when the connection ends may lose the answer.
    for (const head of heads) expect([[431], []]).toContainEqual(statuses(await speak(port, `GET ${head}\r\n`)))
    expect(seen).toEqual([])
  })

  test('of names that objects have do no harm', async () => {
    const { port } = await serve()
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'].map(name => `${name}: x\r\n`).join('')
    expect(statuses(await speak(port, `GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${names}\r\n`))).toEqual([
      200,
    ])
  })
})
