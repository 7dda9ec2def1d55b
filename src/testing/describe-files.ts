import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { passingChunks } from '../core/passing-chunks.ts'
import type { FileStore, ListedFile, OpenedFile, PutOptions } from '../files/contract.ts'

/** One empty file store under test. */
export interface OpenedFiles {
  readonly files: FileStore
  close(): Promise<void>
}

const roomy: PutOptions = { maxBytes: 100_000_000 }

/** A body of the given chunks, as a stream would bring them. */
export async function* sampleBody(...chunks: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

/** Lower-case hex. */
export function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/**
 * The contract of every file store, as tests: whoever implements `FileStore` calls this in a test file and is done when
 * it passes. `open` answers a fresh, empty store each time.
 */
export function describeFiles(name: string, open: () => Promise<OpenedFiles>): void {
  async function setup(): Promise<FileStore> {
    const opened = await open()
    onTestFinished(() => opened.close())
    return opened.files
  }
  async function setupSource(content: string) {
    const folder = await mkdtemp(join(tmpdir(), 'surefoot-source-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const path = join(folder, 'output.ply')
    await writeFile(path, content)
    return path
  }
  const read = async (file: OpenedFile | null) => (file === null ? null : await buffer(file.body))
  const readText = async (file: OpenedFile | null) => (await read(file))?.toString() ?? null
  /** By whoever keeps no chunk. */
  const readInPassing = async (file: OpenedFile | null) => {
    const chunks: Buffer[] = []
    for await (const chunk of passingChunks(file?.body ?? ReadableStream.from([]))) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  }
  const failsWith = (code: string) => expect.objectContaining({ failure: expect.objectContaining({ code }) })

  describe(`${name}: list`, () => {
    async function list(files: FileStore, folder: string, after?: string) {
      const found: ListedFile[] = []
      for await (const file of files.list(folder, after)) found.push(file)
      return found
    }
    const listKeys = async (...query: Parameters<typeof list>) => (await list(...query)).map(({ key }) => key)

    it('names every file in a folder and below, with its length', async () => {
      const files = await setup()
      for (const key of ['a/b/c', 'a/b/d/e', 'a/bc', 'b/a/b']) await files.put(key, sampleBody(key), roomy)
      expect(await list(files, 'a/b')).toEqual([
        { key: 'a/b/c', bytes: 5 },
        { key: 'a/b/d/e', bytes: 7 },
      ])
      expect(await listKeys(files, 'a')).toEqual(['a/b/c', 'a/b/d/e', 'a/bc'])
    })

    it('names them in the order of their keys, and goes on behind any place in it', async () => {
      const files = await setup()
      const keys = ['a/-', 'a/0/z', 'a/B', 'a/a', 'a/b/c', 'a/b_']
      for (const key of keys.toReversed()) await files.put(key, sampleBody(key), roomy)
      expect(await listKeys(files, 'a')).toEqual(keys)
      expect(await listKeys(files, 'a', 'a/B')).toEqual(keys.slice(3))
      expect(await listKeys(files, 'a', 'a/Z')).toEqual(keys.slice(3))
      expect(await listKeys(files, 'a', 'a/z')).toEqual([])
    })

    it('names nothing where there is no such folder, or a file of that name', async () => {
      const files = await setup()
      await files.put('a', sampleBody('a'), roomy)
      expect([await list(files, 'a'), await list(files, 'b')]).toEqual([[], []])
      await expect(list(files, '../a')).rejects.toEqual(failsWith('input_invalid'))
    })
  })

  describe(`${name}: put`, () => {
    it('stores what comes in chunks and answers its length and SHA-256', async () => {
      const files = await setup()
      expect(await files.put('a/b/scene.ply', sampleBody('he', '', 'llo'), roomy)).toEqual({
        kind: 'stored',
        bytes: 5,
        sha256: digest('hello'),
      })
      expect(await files.stat('a/b/scene.ply')).toEqual({ bytes: 5 })
      expect(await readText(await files.open('a/b/scene.ply'))).toBe('hello')
    })

    it('stores an empty file', async () => {
      const files = await setup()
      expect(await files.put('empty', sampleBody(), roomy)).toEqual({ kind: 'stored', bytes: 0, sha256: digest('') })
      expect(await files.stat('empty')).toEqual({ bytes: 0 })
      expect(await files.open('empty')).toMatchObject({ bytes: 0, total: 0 })
      expect(await readText(await files.open('empty'))).toBe('')
    })

    it('keeps every byte of a file of many chunks', async () => {
      const files = await setup()
      const chunk = (index: number) => Uint8Array.from({ length: 70_001 }, (_, at) => (at * 31 + index) & 0xff)
      const chunks = Array.from({ length: 40 }, (_, index) => chunk(index))
      const whole = Buffer.concat(chunks)
      const result = await files.put('large', sampleBody(...chunks), { ...roomy, sha256: digest(whole) })
      expect(result).toEqual({ kind: 'stored', bytes: whole.length, sha256: digest(whole) })
      expect((await read(await files.open('large')))?.equals(whole)).toBe(true)
      for (const [start, end] of [
        [0, whole.length],
        [5, 10],
        [whole.length, whole.length],
      ] as const)
        expect(await readInPassing(await files.open('large', { start, end }))).toEqual(whole.subarray(start, end + 1))
    })

    it('lets the first complete write win and leaves the file as it is afterwards', async () => {
      const files = await setup()
      await files.put('key', sampleBody('first'), roomy)
      expect(await files.put('key', sampleBody('second'), roomy)).toEqual({ kind: 'exists' })
      expect(await readText(await files.open('key'))).toBe('first')
    })

    it('lets exactly one of many writes at once win, whole', async () => {
      const files = await setup()
      const contents = Array.from({ length: 8 }, (_, index) => String(index).repeat(1_000 * (index + 1)))
      const results = await Promise.all(contents.map(content => files.put('race/key', sampleBody(content), roomy)))
      expect(results.filter(result => result.kind === 'stored')).toHaveLength(1)
      const winner = results.findIndex(result => result.kind === 'stored')
      expect(await readText(await files.open('race/key'))).toBe(contents[winner])
    })

    it('lets a later write win that is complete before an earlier one', async () => {
      const files = await setup()
      const gate = Promise.withResolvers<void>()
      const begun = Promise.withResolvers<void>()
      async function* slow() {
        yield Buffer.from('slow')
        begun.resolve()
        await gate.promise
      }
      const earlier = files.put('key', slow(), roomy)
      await begun.promise
      expect(await files.stat('key')).toBe(null)
      expect(await files.open('key')).toBe(null)
      expect(await files.put('key', sampleBody('fast'), roomy)).toMatchObject({ kind: 'stored' })
      gate.resolve()
      expect(await earlier).toEqual({ kind: 'exists' })
      expect(await readText(await files.open('key'))).toBe('fast')
    })

    it('closes the body of a write that comes too late', async () => {
      const files = await setup()
      await files.put('key', sampleBody('first'), roomy)
      const closed = Promise.withResolvers<void>()
      async function* body() {
        try {
          for (;;) yield Buffer.from('more')
        } finally {
          closed.resolve()
        }
      }
      expect(await files.put('key', body(), roomy)).toEqual({ kind: 'exists' })
      await closed.promise
    })

    it.each([
      ['over maxBytes', 'input_too_large', { maxBytes: 4 }],
      ['promised longer than maxBytes', 'input_too_large', { maxBytes: 100, bytes: 101 }],
      ['shorter than promised', 'output_invalid', { maxBytes: 100, bytes: 6 }],
      ['longer than promised', 'output_invalid', { maxBytes: 100, bytes: 4 }],
      ['unlike the promised SHA-256', 'output_invalid', { maxBytes: 100, bytes: 5, sha256: digest('other') }],
    ])('refuses a file %s and keeps nothing of it', async (_, code, options) => {
      const files = await setup()
      await expect(files.put('key', sampleBody('hel', 'lo'), options)).rejects.toEqual(failsWith(code))
      expect(await files.stat('key')).toBe(null)
      expect(await files.put('key', sampleBody('right'), { maxBytes: 5, bytes: 5, sha256: digest('right') })).toEqual({
        kind: 'stored',
        bytes: 5,
        sha256: digest('right'),
      })
    })

    it('stops reading a body without end as soon as it is over maxBytes', async () => {
      const files = await setup()
      let given = 0
      async function* endless() {
        for (;;) {
          given += 1_000
          yield new Uint8Array(1_000)
        }
      }
      await expect(files.put('key', endless(), { maxBytes: 10_000 })).rejects.toEqual(failsWith('input_too_large'))
      expect(given).toBe(11_000)
    })

    it('passes on a failure of the body and keeps nothing', async () => {
      const files = await setup()
      const failure = new Error('connection cut')
      async function* body() {
        yield Buffer.from('half')
        throw failure
      }
      await expect(files.put('key', body(), roomy)).rejects.toBe(failure)
      expect(await files.stat('key')).toBe(null)
    })

    it('ends at once when the signal aborts while the body stalls, and keeps nothing', async () => {
      const files = await setup()
      const controller = new AbortController()
      const begun = Promise.withResolvers<void>()
      async function* stalling() {
        yield Buffer.from('half')
        begun.resolve()
        await new Promise(() => {})
      }
      const reason = new Error('deadline')
      const outcome = expect(files.put('key', stalling(), { ...roomy, signal: controller.signal })).rejects.toBe(reason)
      await begun.promise
      controller.abort(reason)
      await outcome
      expect(await files.stat('key')).toBe(null)
      const aborted = files.put('key', sampleBody('x'), { ...roomy, signal: AbortSignal.abort(reason) })
      await expect(aborted).rejects.toBe(reason)
      expect(await files.put('key', sampleBody('x'), roomy)).toMatchObject({ kind: 'stored' })
    })

    it.each([
      '',
      '/',
      '/etc/passwd',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      'a\\b',
      '..\\a',
      'C:a',
      'a\0b',
      'a\n',
      'a b',
      'ä',
      '%2e%2e/a',
      '~incoming/a',
      'x'.repeat(256),
      `${'long/'.repeat(120)}x`,
    ])('refuses the key %j in every verb', async key => {
      const files = await setup()
      const source = await setupSource('hello')
      const refused = failsWith('input_invalid')
      await expect(files.put(key, sampleBody('x'), roomy)).rejects.toEqual(refused)
      await expect(files.adopt(key, source, roomy)).rejects.toEqual(refused)
      await expect(files.open(key)).rejects.toEqual(refused)
      await expect(files.stat(key)).rejects.toEqual(refused)
      await expect(files.remove(key)).rejects.toEqual(refused)
      expect(() => files.path(key)).toThrow(refused)
      expect(existsSync(source)).toBe(true)
    })
  })

  describe(`${name}: adopt`, () => {
    it('takes over a file of this machine, which is then gone from where it was', async () => {
      const files = await setup()
      const source = await setupSource('hello')
      expect(await files.adopt('a/out.ply', source, { maxBytes: 5, bytes: 5, sha256: digest('hello') })).toEqual({
        kind: 'stored',
        bytes: 5,
        sha256: digest('hello'),
      })
      expect(await readText(await files.open('a/out.ply'))).toBe('hello')
      expect(existsSync(source)).toBe(false)
    })

    it('changes nothing when the key is taken, and leaves the file where it was', async () => {
      const files = await setup()
      const source = await setupSource('second')
      await files.put('key', sampleBody('first'), roomy)
      expect(await files.adopt('key', source, roomy)).toEqual({ kind: 'exists' })
      expect(await readText(await files.open('key'))).toBe('first')
      expect(existsSync(source)).toBe(true)
    })

    it('a second time finds what the first has taken over, although nothing is left at the source', async () => {
      const files = await setup()
      const source = await setupSource('hello')
      await files.adopt('key', source, roomy)
      expect(await files.adopt('key', source, roomy)).toEqual({ kind: 'exists' })
    })

    it.each([
      ['over maxBytes', 'input_too_large', { maxBytes: 4 }],
      ['of another length than promised', 'output_invalid', { maxBytes: 100, bytes: 6 }],
      ['unlike the promised SHA-256', 'output_invalid', { maxBytes: 100, sha256: digest('other') }],
    ])('refuses a file %s and leaves it where it was', async (_, code, options) => {
      const files = await setup()
      const source = await setupSource('hello')
      await expect(files.adopt('key', source, options)).rejects.toEqual(failsWith(code))
      expect(await files.stat('key')).toBe(null)
      expect(existsSync(source)).toBe(true)
    })

    it('refuses a path where there is no file, a folder, or a link to a file', async () => {
      const files = await setup()
      const source = await setupSource('secret')
      await symlink(source, `${source}.link`)
      for (const path of [`${source}.missing`, join(source, '..'), `${source}.link`])
        await expect(files.adopt('key', path, roomy)).rejects.toEqual(failsWith('output_invalid'))
      expect(await files.stat('key')).toBe(null)
    })

    it("ends with the signal's reason", async () => {
      const files = await setup()
      const source = await setupSource('hello')
      const options = { ...roomy, signal: AbortSignal.abort('over') }
      await expect(files.adopt('key', source, options)).rejects.toBe('over')
      expect(await files.stat('key')).toBe(null)
      expect(existsSync(source)).toBe(true)
    })
  })

  describe(`${name}: open, stat, remove`, () => {
    it.each([
      ['the beginning', { start: 0, end: 3 }, '0123'],
      ['the middle', { start: 3, end: 5 }, '345'],
      ['one byte', { start: 9, end: 9 }, '9'],
      ['the rest', { start: 7 }, '789'],
      ['an end beyond the end', { start: 8, end: 100 }, '89'],
      ['a start at the end', { start: 10 }, ''],
      ['a start beyond the end', { start: 50, end: 60 }, ''],
    ])('opens %s', async (_, range, content) => {
      const files = await setup()
      await files.put('key', sampleBody('0123456789'), roomy)
      const opened = await files.open('key', range)
      expect(opened).toMatchObject({ bytes: content.length, total: 10 })
      expect(await readText(opened)).toBe(content)
    })

    it.each([
      { start: -1 },
      { start: 5, end: 4 },
      { start: 0.5 },
      { start: Number.NaN },
      { start: 0, end: Number.NaN },
    ])('refuses %o, which is no range', async range => {
      const files = await setup()
      await files.put('key', sampleBody('0123456789'), roomy)
      await expect(files.open('key', range)).rejects.toEqual(failsWith('input_invalid'))
    })

    it('answers null where there is no file, also for what only begins other keys', async () => {
      const files = await setup()
      await files.put('a/b', sampleBody('x'), roomy)
      for (const key of ['a', 'b', 'a/b/c', 'nothing/here']) {
        expect(await files.stat(key)).toBe(null)
        expect(await files.open(key)).toBe(null)
      }
    })

    it('gives up a file that is not read to its end', async () => {
      const files = await setup()
      await files.put('key', sampleBody(new Uint8Array(2_000_000)), roomy)
      const opened = await files.open('key')
      const reader = opened?.body.getReader()
      expect((await reader?.read())?.value?.byteLength).toBeGreaterThan(0)
      await reader?.cancel()
      await (await files.open('key'))?.body.cancel()
      expect((await read(await files.open('key')))?.byteLength).toBe(2_000_000)
    })

    it('removes a file, without complaint when there is none, and its key can be written again', async () => {
      const files = await setup()
      await files.put('a/b/key', sampleBody('first'), roomy)
      await files.put('a/other', sampleBody('kept'), roomy)
      for (const key of ['a/b/key', 'a/b/key', 'a', 'nothing/here']) await files.remove(key)
      expect(await files.stat('a/b/key')).toBe(null)
      expect(await readText(await files.open('a/other'))).toBe('kept')
      expect(await files.put('a/b/key', sampleBody('second'), roomy)).toMatchObject({ kind: 'stored' })
      expect(await readText(await files.open('a/b/key'))).toBe('second')
    })

    it('writes and removes neighbours at the same time without losing one', async () => {
      const files = await setup()
      const keys = Array.from({ length: 30 }, (_, index) => `shared/k${index}`)
      await Promise.all(
        keys.map(async (key, index) => {
          await files.put(key, sampleBody(key), roomy)
          if (index % 2 === 0) await files.remove(key)
        }),
      )
      const there = await Promise.all(keys.map(async key => await readText(await files.open(key))))
      expect(there).toEqual(keys.map((key, index) => (index % 2 === 0 ? null : key)))
    })
  })
}
