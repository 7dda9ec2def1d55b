import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SurefootError } from '../core/failure.ts'
import { noLimits, type TokenLimits } from '../core/token.ts'
import type { FileStore } from '../files/contract.ts'
import { createS3Files } from '../files/s3.ts'
import { holdFirst, startS3 } from '../files/test-s3.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { createMemoryStore } from '../testing/memory-store.ts'
import { createPendingFiles } from './pending-files.ts'

const hour = 3_600_000
const everybody = () => true

function setupWith<F extends FileStore>(make: (clock: { readonly now: () => number }) => F) {
  const clock = createSimulatedClock(Date.now())
  const files = make(clock)
  const store = createMemoryStore(clock.now)
  let ids = 0
  const newId = () => `f${++ids}`
  const pending = createPendingFiles({ store, files, newId, now: clock.now })
  return {
    ...{ clock, store, files, pending, newId },
    add: (bytes: number, more: { owner?: string; limits?: TokenLimits; name?: string } = {}) =>
      pending.add({
        ...{ owner: 'ann', name: 'photo.jpg', mediaType: 'image/jpeg', metadata: { a: 1 }, maxBytes: 1_000, bytes },
        ...more,
      }),
    put: (id: string, words: string, mediaType = 'image/jpeg') =>
      pending.put(id, new Blob([words]).stream(), { mediaType }),
    read: async (key = '') => await new Response((await files.open(key))?.body).text(),
    keys: async () => {
      const keys = []
      for (const folder of ['files', 'pending']) for await (const { key } of files.list(folder)) keys.push(key)
      return keys
    },
  }
}

const setup = () => setupWith(createMemoryFiles)

async function setupBucket() {
  const s3 = await startS3({ conditional: true })
  onTestFinished(s3.close)
  const home = setupWith(({ now }) => createS3Files(s3.options, { now }))
  const send = async (url: string | null, words: string) =>
    (await fetch(url ?? '', { method: 'PUT', body: words, headers: { 'content-type': 'image/jpeg' } })).status
  const { store, clock, newId } = home
  return {
    ...{ ...home, s3, send },
    /** Of another process. */
    another: () => createPendingFiles({ store, files: createS3Files(s3.options, clock), newId, now: clock.now }),
  }
}

function sha256(words: string): string {
  return createHash('sha256').update(words).digest('hex')
}

async function refusal(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    value => value,
    error => (SurefootError.is(error) ? [error.failure.code, error.status] : error),
  )
}

const missing = ['input_invalid', 409]

describe('a place for a file', () => {
  it('is no file until it is filled, and then a whole one', async () => {
    const { add, put, pending, clock, read } = setup()
    const { id, url, until } = await add(5, { name: 'Föto 1.jpg' })
    expect([id, url, until]).toEqual(['f1', null, clock.now() + hour])
    expect(await refusal(pending.find(id, everybody))).toEqual(missing)
    expect(await put(id, 'photo')).toBe('stored')
    const file = await pending.find(id, everybody)
    expect(file).toEqual({
      ...{ id, owner: 'ann', key: 'files/f1/f3/F_to_1.jpg', name: 'Föto 1.jpg', mediaType: 'image/jpeg', bytes: 5 },
      ...{ sha256: sha256('photo'), metadata: '{"a":1}', createdAt: clock.now(), expiresAt: null },
    })
    expect(await read(file?.key)).toBe('photo')
  })

  it('takes the first complete upload of its length and type, and no other', async () => {
    const { add, put, pending, read } = setup()
    const { id } = await add(5)
    expect(await refusal(put(id, 'phot'))).toEqual(['input_invalid', undefined])
    expect(await refusal(put(id, 'photos'))).toEqual(['input_too_large', undefined])
    expect(await refusal(put(id, 'photo', 'text/html'))).toEqual(['input_invalid', undefined])
    expect(await refusal(pending.find(id, everybody))).toEqual(missing)
    const both = await Promise.all([put(id, 'first'), put(id, 'other')])
    expect(both.toSorted()).toEqual(['exists', 'stored'])
    expect(await put(id, 'third')).toBe('exists')
    const kept = await read((await pending.find(id, everybody))?.key)
    expect(kept).toBe(both[0] === 'stored' ? 'first' : 'other')
    expect(await put('f9', 'photo')).toBe('unknown')
  })

  it('is not touched for whoever may not, who hears nothing of it', async () => {
    const { add, put, pending } = setup()
    const { id } = await add(5)
    const asked: string[] = []
    const nobody = ({ owner }: { readonly owner: string }) => asked.push(owner) < 0
    expect(await pending.find(id, nobody)).toBe(null)
    await put(id, 'photo')
    expect([await pending.find(id, nobody), asked]).toEqual([null, ['ann', 'ann']])
    expect(await pending.find('f9', everybody)).toBe(null)
  })

  it('does not come back when its file is deleted', async () => {
    const { add, put, pending, store } = setup()
    const { id } = await add(5)
    await put(id, 'photo')
    await store.deleteFile(id)
    expect([await put(id, 'other'), await pending.find(id, everybody)]).toEqual(['unknown', null])
  })

  it('whose bytes were stored when the process died becomes their file', async () => {
    const { add, put, pending, files } = setup()
    const { id } = await add(5)
    await files.put('files/f1/photo.jpg', new Blob(['first']).stream(), { maxBytes: 9 })
    expect(await pending.find(id, everybody)).toMatchObject({ id, sha256: sha256('first') })
    const second = await add(5)
    await files.put(`files/${second.id}/photo.jpg`, new Blob(['again']).stream(), { maxBytes: 9 })
    expect(await put(second.id, 'photo')).toBe('stored')
    expect(await pending.find(second.id, everybody)).toMatchObject({ sha256: sha256('photo') })
  })

  it('keeps the same bytes of one owner once', async () => {
    const { add, put, pending, keys } = setup()
    const found = []
    for (const owner of ['ann', 'ann', 'bob']) {
      const { id } = await add(5, { owner })
      await put(id, 'photo')
      found.push((await pending.find(id, everybody))?.key)
    }
    const [first, again, other] = found
    expect([again, (await keys()).toSorted()]).toEqual([first, [first, other].toSorted()])
  })

  it('is refused where the file could never or does not now fit', async () => {
    const { add } = setup()
    const large = ['input_too_large', 413]
    expect(await refusal(add(1_001))).toEqual(large)
    expect(await refusal(add(6, { limits: { ...noLimits, fileBytes: 5 } }))).toEqual(large)
    const limits = { ...noLimits, storedBytes: 9 }
    expect(await refusal(add(10, { limits }))).toEqual(large)
    await add(5, { limits })
    expect(await refusal(add(5, { limits }))).toEqual(['rate_limited', 429])
    await add(4, { limits })
  })

  it('is usable for an hour after its link has ended, and swept with its bytes after one more; files stay', async () => {
    const { add, put, pending, clock, files, keys, store } = setup()
    await add(5)
    await put((await add(5)).id, 'taken')
    await files.put('files/f1/photo.jpg', new Blob(['photo']).stream(), { maxBytes: 9 })
    await files.put('pending/f1', new Blob(['photo']).stream(), { maxBytes: 9 })
    await clock.advance(2 * hour)
    expect(await pending.find('f1', everybody)).toBe(null)
    expect(await put('f1', 'photo')).toBe('unknown')
    await clock.advance(hour)
    await pending.sweep()
    expect((await keys()).length).toBe(3)
    await clock.advance(1)
    await pending.sweep()
    expect(await keys()).toEqual([expect.stringMatching(/^files\/f2\/\w+\/photo.jpg$/)])
    expect(await store.oldestPendingFiles({ before: Number.MAX_SAFE_INTEGER, limit: 9 })).toEqual([])
  })

  it('is swept however many there are', async () => {
    const { add, pending, clock, store } = setup()
    for (let index = 0; index < 101; index++) await add(1)
    await clock.advance(4 * hour)
    await pending.sweep()
    expect(await store.oldestPendingFiles({ before: Number.MAX_SAFE_INTEGER, limit: 9 })).toEqual([])
  })
})

describe('a place in a bucket', () => {
  it('is filled by a link that is for its length and type, and taken to a key of its own at the first use', async () => {
    const { add, send, pending, keys, read } = await setupBucket()
    const { id, url } = await add(5)
    expect([await send(url, 'photos'), await send(url, 'phot')]).toEqual([403, 403])
    expect(await refusal(pending.find(id, everybody))).toEqual(missing)
    expect(await send(url, 'photo')).toBe(200)
    expect(await keys()).toEqual(['pending/f1'])
    const file = await pending.find(id, everybody)
    expect(file).toMatchObject({ bytes: 5, sha256: sha256('photo') })
    expect([await keys(), await read(file?.key)]).toEqual([[file?.key], 'photo'])
  })

  it('can be filled again until it is used; what comes later changes nothing and is swept', async () => {
    const { add, send, pending, clock, keys, read } = await setupBucket()
    const { id, url } = await add(5)
    for (const words of ['first', 'other']) await send(url, words)
    const before = await pending.find(id, everybody)
    await send(url, 'later')
    expect(await pending.find(id, everybody)).toEqual(before)
    expect(await read(before?.key)).toBe('other')
    await clock.advance(3 * hour + 1)
    await pending.sweep()
    expect(await keys()).toEqual([before?.key])
  })

  it('whose file was deleted gives none again, though its link still works', async () => {
    const { add, send, pending, store } = await setupBucket()
    const { id, url } = await add(5)
    await send(url, 'photo')
    await pending.find(id, everybody)
    await store.deleteFile(id)
    await send(url, 'other')
    expect(await pending.find(id, everybody)).toBe(null)
  })

  it('used by two at the same time becomes one file, also where its owner has the same bytes', async () => {
    const { add, send, pending, keys } = await setupBucket()
    const uses = []
    for (let place = 0; place < 2; place++) {
      const { id, url } = await add(5)
      await send(url, 'photo')
      uses.push(...(await Promise.all(Array.from({ length: 4 }, () => pending.find(id, everybody)))))
    }
    const [key] = await keys()
    expect([await keys(), uses.map(file => file?.key)]).toEqual([[key], Array(8).fill(key)])
  })

  it('stays what was hashed, whatever is uploaded and however late another process copies that', async () => {
    const { add, send, pending, files, s3, another, read, clock, keys } = await setupBucket()
    const { id, url } = await add(5)
    await send(url, 'good!')
    const late = holdFirst(s3, request => request.method === 'HEAD' && request.url?.includes('pending/') === true)
    const lateFind = another().find(id, everybody)
    await late.held
    const file = await pending.find(id, everybody)
    await send(url, 'evil!')
    late.now()
    expect(await lateFind).toEqual(file)
    expect([file?.sha256, await read(file?.key)]).toEqual([sha256('good!'), 'good!'])
    // What a process brought that died before it could look whether it was late.
    await files.put(`files/${id}/other/photo.jpg`, new Blob(['evil!']).stream(), { maxBytes: 9 })
    expect(await another().find(id, everybody)).toEqual(file)
    await clock.advance(3 * hour + 1)
    await pending.sweep()
    expect(await keys()).toEqual([file?.key])
  })

  it('that two processes take in becomes one file, whoever is faster', async () => {
    const { add, send, pending, s3, another } = await setupBucket()
    const { id, url } = await add(5)
    await send(url, 'photo')
    const late = holdFirst(s3, request => request.method === 'HEAD' && request.url?.includes('pending/') === true)
    const lateFind = another().find(id, everybody)
    await late.held
    const file = await pending.find(id, everybody)
    late.now()
    expect(await lateFind).toEqual(file)
    expect(file).toMatchObject({ id, sha256: sha256('photo') })
  })

  it('whose bucket takes other lengths than were signed is not taken, and may be filled again', async () => {
    const { add, send, pending, files } = await setupBucket()
    const { id, url } = await add(5)
    await files.put('pending/f1', new Blob(['phot']).stream(), { maxBytes: 9 })
    expect(await refusal(pending.find(id, everybody))).toEqual(['input_invalid', undefined])
    await send(url, 'photo')
    expect(await pending.find(id, everybody)).toMatchObject({ sha256: sha256('photo') })
  })
})
