import { createServer, type Server } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { SurefootError } from '../../core/failure.ts'
import type { Io } from '../../providers/contract.ts'
import { type Answer, maxAnswerBytes } from '../../providers/http.ts'
import { parseBody } from '../../providers/kit.ts'
import { outputsOf } from '../../providers/outputs.ts'
import { retryAfterMs } from '../../providers/retry-after.ts'
import { createVendorApi, submitOnce, wordsOf } from '../../providers/vendor-api.ts'

/**
 * OWASP API10:2023, unsafe consumption of APIs, at what all adapters share: `exchange`, the vendor's API on top of it, the
 * readers of webhooks and outputs. What each adapter makes of strange answers: the contract suite. Where its output URLs
 * lead: `api7-ssrf.test.ts` and `ssrf-routes.test.ts`.
 */
const job = z.looseObject({ id: z.string(), status: z.string(), output: z.unknown() })

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>

/** What each call makes of one and the same answer: asked for a job, and asked to start one. */
async function hear(body: () => Body, init: ResponseInit = {}, over: Partial<Io> = {}) {
  const headers = { 'content-type': 'application/json', ...init.headers }
  const io: Io = {
    fetch: async () => new Response(body(), { ...init, headers }),
    signal: new AbortController().signal,
    ...over,
  }
  const inline = { within: null, bareBase64: true }
  const api = createVendorApi({ name: 'Acme', baseUrl: 'http://vendor.test', authorization: 'Bearer key', inline })
  const asked = await api.get('/jobs/1', job, io).catch((error: unknown) => {
    if (SurefootError.is(error)) return error.failure.code
    throw error
  })
  const accepted = (answer: Answer) => {
    const { success, data } = job.safeParse(answer.json)
    return success ? { kind: 'accepted' as const, handle: data.id } : null
  }
  const submission = { build: async () => ({ method: 'POST' as const, path: '/jobs' }), accepted }
  const started = await submitOnce(api, submission, io)
  return { asked, started: started.kind === 'accepted' ? 'accepted' : started.failure.code }
}

/** Endless, and counts how much of it was asked for. */
function endless(piece: string) {
  const bytes = new TextEncoder().encode(piece)
  const read = { bytes: 0, isLetGo: false }
  const body = () =>
    new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          read.bytes += bytes.length
          controller.enqueue(bytes)
        },
        cancel() {
          read.isLetGo = true
        },
      },
      { highWaterMark: 0 },
    )
  return { body, read }
}

const lists = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
const objects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
const withOutput = (output: string) => `{"id":"1","status":"done","output":${output}}`

describe('what no honest vendor sends', () => {
  const tooMuch: readonly [string, () => string][] = [
    ['100,000 lists in each other', () => withOutput(lists(100_000))],
    ['100,000 objects in each other', () => withOutput(objects(100_000))],
    ['100,000 lists in each other that never close', () => '['.repeat(100_000)],
    ['a million keys', () => withOutput(`{${Array.from({ length: 1_000_000 }, (_, key) => `"${key}":1`).join()}}`)],
    ['a million empty objects', () => withOutput(`[${'{},'.repeat(1_000_000)}0]`)],
    ['one key a million times', () => `{${'"id":"1",'.repeat(1_000_000)}"status":"done"}`],
  ]

  test.each(tooMuch)('is a named failure, and no start that may be taken for refused: %s', async (_, create) => {
    const text = create()
    const failed = { asked: 'provider_unreachable', started: 'start_unknown' }
    expect(await hear(() => text)).toEqual(failed)
    expect(await hear(() => text, {}, { keep: async () => 'kept' })).toEqual(failed)
  })

  test.each(tooMuch)('is no explanation of a refusal either: %s', async (_, create) => {
    const text = create()
    expect(await hear(() => text, { status: 422 })).toMatchObject({ started: 'start_unknown' })
  })

  test.each(tooMuch)('is no webhook: %s', (_, create) => {
    expect(parseBody(new TextEncoder().encode(create()))).toBe(undefined)
  })

  test('what is let through, deep or wide, can be looked through, told and stored', async () => {
    const output = lists(199)
    expect(await hear(() => withOutput(output))).toEqual({ asked: expect.anything(), started: 'accepted' })
    const json: unknown = parseBody(new TextEncoder().encode(`{"error":${output}}`))
    expect(wordsOf({ status: 500, headers: new Headers(), text: '', json })).toMatch(/^\[+\]+$/)
    expect(outputsOf(json, { bareBase64: true })).toEqual([{ kind: 'data', uri: expect.stringMatching(/^data:/) }])
  })

  test.each([
    ['text', '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa \\" '],
    ['structure', '[{'],
    ['spaces', ' '.repeat(1_000)],
    ['a page', '<p>'],
  ])('an answer without an end, of %s, is let go of soon after the limit', async (_, piece) => {
    const { body, read } = endless(piece.repeat(1 + 1_000_000 / piece.length))
    expect(await hear(body)).toEqual({ asked: 'provider_unreachable', started: 'start_unknown' })
    expect(read.isLetGo).toBe(true)
    // Twice, because it was asked for and started.
    expect(read.bytes).toBeLessThan(2 * (maxAnswerBytes + 3_000_000))
  })
})

describe('what is wrong is a named failure', () => {
  const wrong: readonly [string, Body][] = [
    ['nothing', ''],
    ['null', 'null'],
    ['a number', '1e400'],
    ['a text', '"done"'],
    ['a list of jobs', '[{"id":"1","status":"done"}]'],
    ['types', '{"id":1,"status":["done"]}'],
    ['nothing in it', '{}'],
    ['a job as the prototype', '{"__proto__":{"id":"1","status":"done"}}'],
    ['a job as the constructor', '{"constructor":{"prototype":{"id":"1","status":"done"}}}'],
    ['half of it', '{"id":"1","status":"do'],
    ['two at once', '{"id":"1","status":"done"}{"id":"2","status":"done"}'],
    ['NaN', '{"id":"1","status":NaN}'],
    ['UTF-16', Uint8Array.from(Buffer.from('{"id":"1","status":"done"}', 'utf16le'))],
  ]

  test.each(wrong)('%s', async (_, body) => {
    expect(await hear(() => body)).toEqual({ asked: 'provider_error', started: 'start_unknown' })
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(Reflect.get({}, 'status')).toBe(undefined)
  })

  test('bytes that are no UTF-8 become signs that stand for them, and nothing else changes', async () => {
    const body = Uint8Array.from(Buffer.from('{"id":"1","status":"\xff\xfe","output":"\xc0\x80"}', 'latin1'))
    expect(await hear(() => body)).toMatchObject({ asked: { id: '1', status: '\ufffd\ufffd', output: '\ufffd\ufffd' } })
  })

  test.each([204, 205, 301, 304, 418, 500, 503, 599])('a status that answers nothing: %i', async status => {
    const none = [204, 205, 304].includes(status)
    const io = { fetch: async () => new Response(none ? null : 'x', { status }), signal: new AbortController().signal }
    const api = createVendorApi({ name: 'Acme', baseUrl: 'http://vendor.test', authorization: null })
    await expect(api.get('/', job, io)).rejects.toSatisfy(SurefootError.is)
  })

  test('a wait that it asks for is no longer than an hour, and never less than nothing', () => {
    for (const value of ['1e400', '-5', '99999999999999999999', 'Infinity', 'NaN', 'Fri, 31 Dec 9999 23:59:59 GMT', ''])
      expect(retryAfterMs(new Headers({ 'retry-after': value }), '') ?? 0).toSatisfy(
        (ms: number) => ms >= 0 && ms <= 3_600_000,
      )
  })
})

describe('on the wire', () => {
  async function serve(answer: Parameters<typeof createServer>[1]): Promise<{ server: Server; url: string }> {
    const server = createServer(answer ?? (() => {}))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const address = server.address()
    return { server, url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` }
  }

  test.each([301, 302, 303, 307, 308])('a redirect is followed nowhere, and no key goes along: %i', async status => {
    const inside: (string | undefined)[] = []
    const other = await serve((request, response) => {
      inside.push(request.headers.authorization)
      response.end('{"id":"1","status":"done"}')
    })
    const { url } = await serve((_, response) => response.writeHead(status, { location: `${other.url}/` }).end())
    const io = { fetch, signal: new AbortController().signal }
    const api = createVendorApi({ name: 'Acme', baseUrl: url, authorization: 'Bearer key' })
    await expect(api.get('/jobs/1', job, io)).rejects.toMatchObject({ failure: { code: 'provider_error' } })
    expect(inside).toEqual([])
  })

  test.each(['', '{"id":"1",'])('an answer that stops for ever after %j ends with the time it has', async begun => {
    const timeout = new AbortController()
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      if (begun === '') response.flushHeaders()
      else response.write(begun)
    })
    // The time is over as soon as the answer has begun.
    const io = {
      fetch: async (...request: Parameters<typeof fetch>) => {
        const response = await fetch(...request)
        timeout.abort()
        return response
      },
      signal: timeout.signal,
    }
    const api = createVendorApi({ name: 'Acme', baseUrl: url, authorization: null })
    await expect(api.get('/jobs/1', job, io)).rejects.toMatchObject({
      failure: { code: 'provider_unreachable', message: 'Acme could not be asked: no answer came in time.' },
    })
  })

  test.each([
    [
      'a length that is not kept',
      'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"id"',
    ],
    ['100 kB of headers', `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'],
    ['no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['nothing', ''],
  ])('%s is a lost answer', async (_, text) => {
    const { url } = await serve(({ socket }) => socket.end(text))
    const io = { fetch, signal: new AbortController().signal }
    const api = createVendorApi({ name: 'Acme', baseUrl: url, authorization: null })
    await expect(api.get('/jobs/1', job, io)).rejects.toMatchObject({ failure: { code: 'provider_unreachable' } })
  })
})
