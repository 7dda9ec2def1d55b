import { describe, expect, it } from 'vitest'
import type { PendingFile } from '../store/contract.ts'
import { type OpenedStore, openForTest } from './opened-store.ts'
import { sampleFileRow } from './sample-records.ts'

/** A place for a file of `bytes` that is over at 9,000. */
function place(over: Partial<PendingFile> & { readonly id: string }): PendingFile {
  const { owner, key, name, mediaType, bytes, metadata } = sampleFileRow({ id: over.id })
  return { owner, key, name, mediaType, bytes, metadata, expiresAt: 9_000, ...over }
}

const full = { status: 429, failure: { code: 'rate_limited', fault: 'user' } }

/** The part of the store's contract that places for files rest on, and what their owners may keep. */
export function describeStorePlaces(name: string, open: () => Promise<OpenedStore>): void {
  async function setup() {
    const opened = await openForTest(open)
    const now = await opened.store.now()
    const at = (ms: number) => now + ms
    return {
      ...opened,
      at,
      place: (over: Partial<PendingFile> & { id: string }) => place({ expiresAt: at(500), ...over }),
    }
  }

  describe(`${name}: places for files`, () => {
    it('keeps one whole until it is over', async () => {
      const { store, advance, place } = await setup()
      const pending = place({ id: 'f', owner: 'ann', name: 'Zürich.jpg', metadata: '{"a":1}', bytes: 2 ** 33 })
      await store.addPendingFile(pending, null)
      expect([await store.getPendingFile('f'), await store.getPendingFile('g')]).toEqual([pending, null])
      expect(await store.getFile('f')).toBe(null)
      expect(await store.listFiles({ owner: 'ann', limit: 9 })).toEqual([])
      await advance(499)
      expect(await store.getPendingFile('f')).toEqual(pending)
      await advance(1)
      expect(await store.getPendingFile('f')).toBe(null)
      expect(await store.takePendingFile(sampleFileRow({ id: 'f' }))).toBe(null)
      expect(await store.getFile('f')).toBe(null)
    })

    it('becomes a file once, however many try at the same time, and not again when that is deleted', async () => {
      const { store, place } = await setup()
      await store.addPendingFile(place({ id: 'f' }), null)
      const file = sampleFileRow({ id: 'f' })
      const taken = await Promise.all(Array.from({ length: 9 }, () => store.takePendingFile(file)))
      expect(taken.filter(row => row !== null)).toEqual([file])
      expect([await store.getFile('f'), await store.getPendingFile('f')]).toEqual([file, null])
      await store.deleteFile('f')
      expect(await store.takePendingFile(file)).toBe(null)
    })

    it('becomes a file that shares the key of the same bytes of its owner', async () => {
      const { store, place } = await setup()
      await store.putFile(sampleFileRow({ id: 'twin' }))
      await store.addPendingFile(place({ id: 'f' }), null)
      expect(await store.takePendingFile(sampleFileRow({ id: 'f' }))).toMatchObject({ id: 'f', key: 'files/twin' })
    })

    it('is found once it is over, the oldest first, and its key is free unless a file has it', async () => {
      const { store, at, place } = await setup()
      for (const [id, ms] of [
        ['late', 300],
        ['taken', 200],
        ['early', 100],
        ['open', 400],
      ] as const)
        await store.addPendingFile(place({ id, expiresAt: at(ms) }), null)
      await store.takePendingFile(sampleFileRow({ id: 'taken' }))
      const over = async (limit: number) =>
        (await store.oldestPendingFiles({ before: at(400), limit })).map(({ id }) => id)
      expect([await over(9), await over(2)]).toEqual([
        ['early', 'taken', 'late'],
        ['early', 'taken'],
      ])
      expect([await store.deletePendingFile('early'), await store.deletePendingFile('taken')]).toEqual([
        'files/early',
        null,
      ])
      expect([await store.deletePendingFile('early'), await over(9)]).toEqual([null, ['late']])
      expect(await store.getFile('taken')).not.toBe(null)
    })

    it('has the key of its file once it is one: that is free when the file is gone', async () => {
      const { store, at, place } = await setup()
      await store.addPendingFile(place({ id: 'f' }), null)
      await store.takePendingFile(sampleFileRow({ id: 'f', key: 'files/f/own/photo.jpg' }))
      expect(await store.oldestPendingFiles({ before: at(900), limit: 9 })).toMatchObject([
        { id: 'f', key: 'files/f/own/photo.jpg' },
      ])
      await store.deleteFile('f')
      expect(await store.deletePendingFile('f')).toBe('files/f/own/photo.jpg')
    })

    it('is either taken or deleted with its key, never both', async () => {
      const { store, place } = await setup()
      for (let round = 0; round < 20; round++) {
        const id = `f${round}`
        await store.addPendingFile(place({ id }), null)
        const [file, freed] = await Promise.all([
          store.takePendingFile(sampleFileRow({ id, sha256: id })),
          store.deletePendingFile(id),
        ])
        expect([file === null, freed]).toEqual([freed !== null, file === null ? `files/${id}` : null])
      }
    })
  })

  describe(`${name}: what an owner may keep`, () => {
    it('counts the same bytes once, and places until they are over: with their files, once, and without them', async () => {
      const { store, advance, place } = await setup()
      await store.putFile(sampleFileRow({ id: 'a', owner: 'ann', bytes: 5 }))
      await store.putFile(sampleFileRow({ id: 'same', owner: 'ann', bytes: 5 }))
      await store.putFile(sampleFileRow({ id: 'b', owner: 'bob', bytes: 100 }))
      await store.addPendingFile(place({ id: 'c', owner: 'ann', bytes: 30 }), null)
      await store.addPendingFile(place({ id: 'd', owner: 'ann', bytes: 200 }), null)
      expect(await store.storedBytes('ann')).toBe(235)
      await store.takePendingFile(sampleFileRow({ id: 'c', owner: 'ann', bytes: 30, sha256: 'c' }))
      expect(await store.storedBytes('ann')).toBe(235)
      await store.deleteFile('c')
      expect(await store.storedBytes('ann')).toBe(235)
      await expect(store.addPendingFile(place({ id: 'e', owner: 'ann', bytes: 6 }), 240)).rejects.toMatchObject(full)
      await advance(500)
      expect(await store.storedBytes('ann')).toBe(5)
      expect(await store.storedBytes('nobody')).toBe(0)
    })

    it('counts a place whose file turns out to have the bytes of another, until it is over', async () => {
      const { store, advance, place } = await setup()
      await store.putFile(sampleFileRow({ id: 'a', owner: 'ann', bytes: 30 }))
      await store.addPendingFile(place({ id: 'b', owner: 'ann', bytes: 30 }), null)
      expect(await store.takePendingFile(sampleFileRow({ id: 'b', owner: 'ann', bytes: 30 }))).toMatchObject({
        key: 'files/a',
      })
      expect(await store.storedBytes('ann')).toBe(60)
      await advance(500)
      expect(await store.storedBytes('ann')).toBe(30)
    })

    it('is never more than that, however many files and places are added at once', async () => {
      const { store, place } = await setup()
      const added = Array.from({ length: 6 }, (_, index) => [
        store.putFile(sampleFileRow({ id: `f${index}`, owner: 'ann', bytes: 30, sha256: `f${index}` }), 100),
        store.addPendingFile(place({ id: `p${index}`, owner: 'ann', bytes: 30 }), 100),
      ])
      const outcomes = await Promise.allSettled(added.flat())
      const refused = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []))
      expect(refused).toEqual(Array(9).fill(expect.objectContaining({ status: 429 })))
      expect(await store.storedBytes('ann')).toBe(90)
      await store.putFile(sampleFileRow({ id: 'bob', owner: 'bob', bytes: 100 }), 100)
    })

    it('has room for what fills it, and for the same bytes again; what is refused leaves nothing', async () => {
      const { store, place } = await setup()
      const file = sampleFileRow({ id: 'a', owner: 'ann', bytes: 100 })
      await store.putFile(file, 100)
      expect(await store.putFile({ ...file, id: 'again' }, 100)).toMatchObject({ key: file.key })
      await expect(
        store.putFile({ ...file, id: 'b', key: 'files/b', bytes: 1, sha256: 'b' }, 100),
      ).rejects.toMatchObject(full)
      await expect(store.addPendingFile(place({ id: 'c', owner: 'ann', bytes: 1 }), 100)).rejects.toMatchObject(full)
      expect([await store.getFile('b'), await store.getPendingFile('c')]).toEqual([null, null])
      await expect(store.putFile({ ...file, key: 'files/x', sha256: 'x' }, 100)).rejects.toMatchObject(full)
      expect(await store.getFile('a')).toEqual(file)
    })
  })
}
