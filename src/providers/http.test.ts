import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { describeNetworkError, exchange, surelyNotSent, vendorWords } from './http.ts'

function answering(body: string | null, init?: ResponseInit): typeof fetch {
  return async () => new Response(body, init)
}

function io(fetch: typeof globalThis.fetch) {
  return { fetch, signal: new AbortController().signal }
}

test('an HTML page with status 200 has no JSON', async () => {
  const fetch = answering('<html>{}</html>', { headers: { 'content-type': 'text/html' } })
  expect((await exchange(io(fetch), 'https://vendor.test/', {})).json).toBeUndefined()
})

test('JSON that was cut off has no JSON, but keeps its text', async () => {
  const answer = await exchange(
    io(answering('{"id":', { headers: { 'content-type': 'application/json' } })),
    'https://vendor.test/',
    {},
  )
  expect(answer).toMatchObject({ status: 200, json: undefined, text: '{"id":' })
})

test('problem documents count as JSON', async () => {
  const headers = { 'content-type': 'application/problem+json' }
  const answer = await exchange(io(answering('{"detail":"no"}', { status: 422, headers })), 'https://vendor.test/', {})
  expect(answer).toMatchObject({ status: 422, json: { detail: 'no' } })
})

test('an answer that never ends is given up', async () => {
  const endless = new ReadableStream<Uint8Array>({ pull: controller => controller.enqueue(new Uint8Array(4_000_000)) })
  await expect(
    exchange(
      io(async () => new Response(endless)),
      'https://vendor.test/',
      {},
    ),
  ).rejects.toThrow(RangeError)
})

test('a refused connection proves that nothing was sent; a reset proves nothing', async () => {
  const server = createServer(socket => socket.once('data', () => socket.destroy()))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const reset: unknown = await fetch(`http://127.0.0.1:${port}/`).catch((error: unknown) => error)
  await new Promise(resolve => server.close(resolve))
  const refused: unknown = await fetch(`http://127.0.0.1:${port}/`).catch((error: unknown) => error)
  expect([surelyNotSent(reset), surelyNotSent(refused)]).toEqual([false, true])
  expect(describeNetworkError(reset, AbortSignal.abort(), 'https://x.test')).toBe('no answer came in time')
  const secretive = `http://user:secret@127.0.0.1:${port}/hooks/secret?signature=secret`
  expect(describeNetworkError(refused, new AbortController().signal, secretive)).toBe(
    `the connection to 127.0.0.1:${port} failed (ECONNREFUSED)`,
  )
})

test('a name with several addresses was not reached only when every address refused', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const reset = Object.assign(new Error('read'), { code: 'ECONNRESET' })
  const failed = (...errors: Error[]) => new TypeError('fetch failed', { cause: new AggregateError(errors) })
  expect([surelyNotSent(failed(refused, refused)), surelyNotSent(failed(refused, reset))]).toEqual([true, false])
})

test("a vendor's words lose what URLs may carry in secret", () => {
  expect(
    vendorWords('Failed:\n  POST https://us.example/v1/hooks/secret?signature=abc with data:image/png;base64,AAAA'),
  ).toBe('Failed: POST https://us.example/… with data:…')
  expect(vendorWords('x'.repeat(1000))).toHaveLength(400)
})

test('of endless words only the beginning is looked at', () => {
  expect(vendorWords(`${' '.repeat(19_990)}early${' '.repeat(10)}late`)).toBe('early')
})
