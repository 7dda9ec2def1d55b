import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { digest, sampleBody } from '../testing/describe-files.ts'
import type { Resumption } from './contract.ts'
import { createS3Files } from './s3.ts'
import { type StartedS3, startS3 } from './test-s3.ts'

/** Whoever is dead never finds out that nobody answers. */
const patient = { connectMs: 5_000, requestMs: 3_600_000 }
const key = 'outputs/p1/a1/scene.ply'
/** Bytes of a piece as it is read; a part has eight. S3 wants larger parts, its server for tests takes any. */
const piece = 1024
const partBytes = 8 * piece
const whole = Buffer.concat(Array.from({ length: 21 }, (_, index) => Buffer.alloc(piece, index)))
const fresh: Resumption = { from: 0, total: whole.length, validator: '"v1"' }

async function setup() {
  const s3 = await startS3({ conditional: true })
  onTestFinished(s3.close)
  return { s3, ...createWorld(s3) }
}

/** Every process has a store of its own, and knows of the others by the bucket only. */
function createWorld(s3: StartedS3) {
  const open = () => createS3Files(s3.options, { partBytes, limits: patient })
  return {
    open,
    async content() {
      return Buffer.from(await new Response((await open().open(key))?.body).arrayBuffer())
    },
    async unfinished() {
      const keys: string[] = []
      for await (const unfinished of open().resumable.unfinished()) keys.push(unfinished)
      return keys
    },
    /** Goes on where the last process ended, in pieces; `at` hears before each. */
    async bring(at: (pieces: number) => void = () => {}, signal?: AbortSignal) {
      const { resumable } = open()
      const resumption = (await resumable.left(key)) ?? fresh
      const body = bodyFrom(whole, resumption.from, at)
      return await resumable.write(key, body, resumption, signal === undefined ? {} : { signal })
    },
  }
}

async function* bodyFrom(bytes: Buffer, from: number, at: (pieces: number) => void = () => {}) {
  for (let start = from; start < bytes.length; start += piece) {
    at(start / piece)
    yield bytes.subarray(start, start + piece)
  }
}

const stop = new DOMException('the engine stops', 'AbortError')

/** A process that ends when it has read so many pieces. Answers from where on it had read. */
async function bringUntil({ bring }: ReturnType<typeof createWorld>, pieces: number): Promise<number> {
  const ending = new AbortController()
  let first = Number.POSITIVE_INFINITY
  const bringing = bring(at => {
    first = Math.min(first, at)
    if (at === pieces) ending.abort(stop)
  }, ending.signal)
  await expect(bringing).rejects.toBe(stop)
  return first
}

test('a file comes whole over several processes, each from where the one before it ended', async () => {
  const stage = await setup()
  expect(await bringUntil(stage, 10)).toBe(0)
  expect(await stage.open().resumable.left(key)).toEqual({ ...fresh, from: partBytes })
  expect(await stage.open().stat(key)).toBe(null)
  expect(await stage.unfinished()).toEqual([key])
  expect(await bringUntil(stage, 20)).toBe(8)
  const progress: number[] = []
  expect(await stage.bring(at => progress.push(at))).toEqual({ kind: 'stored', bytes: whole.length, sha256: null })
  expect(progress).toEqual([16, 17, 18, 19, 20])
  expect((await stage.content()).equals(whole)).toBe(true)
  expect([await stage.s3.pending(), await stage.unfinished()]).toEqual([[], []])
})

test('a file that comes at once is stored with its SHA-256, and a small one without a note', async () => {
  const { s3, open, bring, content } = await setup()
  expect(await bring()).toEqual({ kind: 'stored', bytes: whole.length, sha256: digest(whole) })
  expect((await content()).equals(whole)).toBe(true)
  const small = { from: 0, total: 4, validator: '"v1"' }
  s3.requests.length = 0
  const { resumable } = open()
  expect(await resumable.write('small', sampleBody('done'), small, {})).toMatchObject({ sha256: digest('done') })
  expect(s3.requests.filter(line => line.startsWith('PUT'))).toEqual(['PUT /files/small?x-id=PutObject'])
})

test('whoever goes on is told when something has been stored for good', async () => {
  const { open } = await setup()
  const heard: number[] = []
  let given = 0
  const body = bodyFrom(whole, 0, at => (given = at))
  await open().resumable.write(key, body, fresh, { onProgress: () => heard.push(given) })
  expect(heard).toEqual([7, 15, 20])
})

test('wherever processes are stopped while they read, the file comes whole, and parts that were stored come once', async () => {
  const stage = await setup()
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }), async stops => {
      let there = 0
      for (const at of stops.toSorted((a, b) => a - b)) {
        if (at < there) continue
        expect(await bringUntil(stage, at)).toBe(there)
        there = Math.floor(at / 8) * 8
      }
      expect(await stage.bring()).toMatchObject({ kind: 'stored' })
      expect((await stage.content()).equals(whole)).toBe(true)
      expect([await stage.s3.pending(), await stage.unfinished()]).toEqual([[], []])
      await stage.open().remove(key)
    }),
    { numRuns: 15 },
  )
})

test('wherever a process is killed between two of its requests, the next ones bring the file whole', async () => {
  const stage = await setup()
  const { s3 } = stage
  /** At its n-th request it dies: before the store has done it, or before it hears that it has. Nothing is said to it any more. */
  async function killAt(nth: number, when: 'before' | 'after'): Promise<void> {
    const dead = Promise.withResolvers<void>()
    let count = 0
    s3.intercept = (request, response) => {
      count += 1
      if (count < nth) return false
      if (count > nth || when === 'before') dead.resolve()
      else {
        response.write = () => true
        response.end = () => {
          dead.resolve()
          return response
        }
        void s3.handle(request, response)
      }
      return true
    }
    await Promise.race([stage.bring(), dead.promise])
    s3.intercept = () => false
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 14 }), fc.constantFrom('before' as const, 'after' as const)), {
        minLength: 1,
        maxLength: 3,
      }),
      async kills => {
        for (const [nth, when] of kills) await killAt(nth, when)
        expect((await stage.bring()).kind).toMatch(/stored|exists/)
        expect((await stage.content()).equals(whole)).toBe(true)
        expect(await stage.unfinished()).toEqual([])
        await stage.open().remove(key)
      },
    ),
    { numRuns: 30 },
  )
})

test('of two processes that go on from the same place the first to end wins, and the other hears that the file is there', async () => {
  const stage = await setup()
  await bringUntil(stage, 9)
  const gate = Promise.withResolvers<void>()
  async function* slow() {
    for await (const bytes of bodyFrom(whole, partBytes)) {
      yield bytes
      if (bytes[0] === 19) await gate.promise
    }
  }
  const later = stage.open().resumable.write(key, slow(), { ...fresh, from: partBytes }, {})
  expect((await stage.bring()).kind).toBe('stored')
  gate.resolve()
  expect((await later).kind).toBe('exists')
  expect((await stage.content()).equals(whole)).toBe(true)
  expect(await stage.unfinished()).toEqual([])
})

test('what was left of another file goes, and its parts with it', async () => {
  const stage = await setup()
  await bringUntil(stage, 9)
  const other = Buffer.alloc(12 * piece, 0xff)
  const resumption = { from: 0, total: other.length, validator: '"v2"' }
  await stage.open().resumable.write(key, bodyFrom(other, 0), resumption, {})
  expect((await stage.content()).equals(other)).toBe(true)
  expect([await stage.s3.pending(), await stage.unfinished()]).toEqual([[], []])
})

test.each<readonly [string, Resumption]>([
  ['another place', { ...fresh, from: 2 * partBytes }],
  ['another file', { ...fresh, from: partBytes, validator: '"v2"' }],
  ['another length', { ...fresh, from: partBytes, total: whole.length + 1 }],
])('a body that goes on at %s than what was left is not taken, and nothing is lost', async (_, resumption) => {
  const stage = await setup()
  await bringUntil(stage, 9)
  const writing = stage.open().resumable.write(key, bodyFrom(whole, resumption.from), resumption, {})
  await expect(writing).rejects.toMatchObject({ failure: { code: 'provider_unreachable' } })
  expect(await stage.open().resumable.left(key)).toEqual({ ...fresh, from: partBytes })
})

test.each([
  ['ends too early', whole.subarray(0, -1)],
  ['is too long', Buffer.concat([whole, Buffer.from('x')])],
])('a body that %s is no file, and what was whole of it stays for another try', async (_, bytes) => {
  const { open } = await setup()
  const writing = open().resumable.write(key, bodyFrom(bytes, 0), fresh, {})
  await expect(writing).rejects.toMatchObject({ failure: { code: 'output_invalid' } })
  expect(await open().stat(key)).toBe(null)
  expect(await open().resumable.left(key)).toEqual({ ...fresh, from: 2 * partBytes })
})

test.each([
  ['a part', (method: string | undefined, url: string) => method === 'PUT' && url.includes('partNumber')],
  ['the joining', (method: string | undefined, url: string) => method === 'POST' && url.includes('uploadId')],
])('where the store has given up the upload before %s, the file is brought anew', async (_, isIt) => {
  const stage = await setup()
  await bringUntil(stage, 9)
  stage.s3.intercept = (request, response) => {
    if (!isIt(request.method, request.url ?? '')) return false
    request.resume()
    response.writeHead(404, { 'content-type': 'application/xml' })
    response.end('<Error><Code>NoSuchUpload</Code><Message>Gone.</Message></Error>')
    return true
  }
  await expect(stage.bring()).rejects.toMatchObject({ failure: { code: 'provider_unreachable' } })
  stage.s3.intercept = () => false
  expect(await stage.open().resumable.left(key)).toBe(null)
  expect(await stage.bring()).toMatchObject({ kind: 'stored', sha256: digest(whole) })
})

test('a note that cannot be read is no note', async () => {
  const stage = await setup()
  await stage.open().put(`partial/${key}`, sampleBody('{"upload":1}'), { maxBytes: 100 })
  expect(await stage.open().resumable.left(key)).toBe(null)
  expect(await stage.bring()).toMatchObject({ kind: 'stored' })
  expect(await stage.unfinished()).toEqual([])
})

test('a file that is there already stays as it is, and what was left beside it goes', async () => {
  const stage = await setup()
  await bringUntil(stage, 9)
  await stage.open().put(key, sampleBody('first'), { maxBytes: 100 })
  expect(await stage.bring()).toEqual({ kind: 'exists' })
  expect(`${await stage.content()}`).toBe('first')
  expect([await stage.s3.pending(), await stage.unfinished()]).toEqual([[], []])
})

test('what was left is dropped with its parts; where nothing was, that is no error', async () => {
  const stage = await setup()
  await bringUntil(stage, 9)
  for (const _ of ['once', 'twice']) await stage.open().resumable.drop(key)
  expect(await stage.open().resumable.left(key)).toBe(null)
  expect([await stage.s3.pending(), await stage.unfinished()]).toEqual([[], []])
})
