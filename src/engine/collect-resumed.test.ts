import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { Download } from '../files/contract.ts'
import { createDownload } from '../files/download.ts'
import { createS3Files } from '../files/s3.ts'
import { startS3 } from '../files/test-s3.ts'
import type { Model } from '../models/contract.ts'
import { digest } from '../testing/describe-files.ts'
import { textModel } from '../testing/text-model.ts'
import { collectOutput } from './collect.ts'

const key = 'outputs/p1/a1/text.txt'
const partBytes = 8_000
const first = Buffer.alloc(20_000, 'first')
const second = Buffer.alloc(20_000, 'second')
const stop = new DOMException('the engine stops', 'AbortError')
const model: Model = {
  ...textModel,
  output: { ...textModel.output, maxBytes: 100_000 },
  async verify(file) {
    const read = Buffer.from(await new Response((await file.open()).body).arrayBuffer())
    return { valid: true, facts: { sha256: digest(read) } }
  },
}

/** What a provider's file server has, and how it answers for ranges. */
interface Source {
  content: Buffer
  etag: string | null
  hasRanges: boolean
}

function serve({ headers }: IncomingMessage, response: ServerResponse, { content, etag, hasRanges }: Source): void {
  const asked = /^bytes=(\d+)-$/.exec(headers.range ?? '')
  const from = asked !== null && hasRanges && headers['if-range'] === etag ? Number(asked[1]) : 0
  if (etag !== null) response.setHeader('etag', etag)
  if (from > 0) response.setHeader('content-range', `bytes ${from}-${content.length - 1}/${content.length}`)
  response.writeHead(from > 0 ? 206 : 200, { 'content-length': content.length - from }).end(content.subarray(from))
}

/** A provider's file server, a bucket, and processes that share nothing but these two. */
async function setup() {
  const s3 = await startS3({ conditional: true })
  onTestFinished(s3.close)
  const source: Source = { content: first, etag: '"v1"', hasRanges: true }
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.headers.range)
    serve(request, response, source)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  /** One process; it is stopped once it has read so many bytes. Answers its output, or how often it had got further. */
  async function collect(most = Number.POSITIVE_INFINITY) {
    const ending = new AbortController()
    let progress = 0
    const request = {
      predictionId: 'p1',
      attemptId: 'a1',
      model,
      outputs: [{ kind: 'url', url: `${origin}/scene` }] as const,
      trustedOrigins: [origin],
      signal: ending.signal,
      newId: () => 'taking',
      onProgress: () => (progress += 1),
    }
    const files = createS3Files(s3.options, { partBytes })
    try {
      return await collectOutput(files, stopping(createDownload(), most, ending), request)
    } catch (error) {
      if (error === stop) return progress
      throw error
    }
  }
  return { s3, source, asked, collect, files: createS3Files(s3.options, { partBytes }) }
}

function stopping(download: Download, most: number, ending: AbortController): Download {
  async function* upTo(body: AsyncIterable<Uint8Array>) {
    let left = most
    for await (const chunk of body) {
      if (chunk.length < left) yield chunk
      else yield chunk.subarray(0, left)
      left -= chunk.length
      if (left <= 0) ending.abort(stop)
    }
  }
  return async (url, options) => {
    const found = await download(url, options)
    return { ...found, body: upTo(found.body) }
  }
}

function outputOf(content: Buffer) {
  return { key, bytes: content.length, sha256: digest(content), facts: { sha256: digest(content) } }
}

test('an output larger than what one process can bring comes over several, and is verified and hashed whole', async () => {
  const { asked, collect, files, s3 } = await setup()
  expect([await collect(9_000), await files.stat(key)]).toEqual([1, null])
  expect([await collect(7_999), await collect(8_001)]).toEqual([0, 1])
  expect(await collect()).toMatchObject(outputOf(first))
  expect(asked).toEqual([undefined, 'bytes=8000-', 'bytes=8000-', 'bytes=16000-'])
  expect(await s3.pending()).toEqual([])
})

test('wherever processes are stopped, and whatever becomes of the file meanwhile, what is collected is one of its versions', async () => {
  const { collect, files, source, s3 } = await setup()
  const change = fc.record({
    most: fc.integer({ min: 1, max: 20_000 }),
    version: fc.constantFrom(1, 1, 2),
    etag: fc.constantFrom('strong', 'strong', 'weak', 'none'),
    hasRanges: fc.constantFrom(true, true, false),
  })
  function set({ version, etag, hasRanges }: { version: number; etag: string; hasRanges: boolean }) {
    source.content = version === 1 ? first : second
    source.etag = etag === 'none' ? null : `${etag === 'weak' ? 'W/' : ''}"v${version}"`
    source.hasRanges = hasRanges
    return source.content
  }
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), change, async (stops, last) => {
      await files.remove(key)
      await files.resumable.drop(key)
      for (const { most, ...now } of [...stops, { ...last, most: Number.POSITIVE_INFINITY }]) {
        const content = set(now)
        const collected = await collect(most)
        if (typeof collected === 'number') expect(await files.stat(key)).toBe(null)
        else {
          expect(collected).toMatchObject(outputOf(content))
          expect([await s3.pending(), await files.resumable.left(key)]).toEqual([[], null])
          return
        }
      }
      expect.unreachable()
    }),
    { numRuns: 15 },
  )
})

test('an output that is whole already is verified without asking for it again: its URL may have ended', async () => {
  const { asked, collect, files } = await setup()
  await files.put(key, ReadableStream.from([first]), { maxBytes: 100_000 })
  expect(await collect()).toMatchObject(outputOf(first))
  expect(asked).toEqual([])
})

test('an output that was brought in pieces is read from the bucket once', async () => {
  const { collect, s3 } = await setup()
  await collect(9_000)
  s3.requests.length = 0
  await collect()
  expect(s3.requests.filter(line => line.startsWith(`GET /files/${key}`))).toHaveLength(1)
})
