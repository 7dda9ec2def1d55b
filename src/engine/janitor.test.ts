import { describe, expect, it } from 'vitest'
import type { PredictionRecord } from '../core/prediction.ts'
import type { Retention } from '../core/retention.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { createMemoryStore } from '../testing/memory-store.ts'
import { sampleChange, sampleFileRow, samplePrediction } from '../testing/sample-records.ts'
import { sweep } from './janitor.ts'

const day = 24 * 3_600_000

async function setup(retention: Partial<Retention>) {
  const clock = createSimulatedClock(100 * day)
  const store = createMemoryStore(clock.now)
  const files = createMemoryFiles()
  const logged: unknown[] = []

  async function bytes(key: string, size: number): Promise<void> {
    await files.put(key, new Blob([new Uint8Array(size)]).stream(), { maxBytes: size })
  }
  return {
    store,
    files,
    logged,
    bytes,
    async prediction(id: string, ageDays: number, over: Partial<PredictionRecord> = {}) {
      const key = `outputs/${id}/a/scene.ply`
      await bytes(key, 70)
      const record = samplePrediction({
        id,
        createdAt: clock.now() - ageDays * day,
        status: 'succeeded',
        settledAt: 1,
        output: { key, name: 'scene.ply', mediaType: 'a/b', bytes: 70, sha256: '0', facts: {} },
        ...over,
      })
      await store.commit([sampleChange(record, { nextAt: record.settledAt === null ? clock.now() : null })])
    },
    async file(id: string, ageDays: number, sha256 = id) {
      const row = await store.putFile(sampleFileRow({ id, createdAt: clock.now() - ageDays * day, bytes: 30, sha256 }))
      await bytes(row.key, 30)
    },
    sweep: (over: Partial<Parameters<typeof sweep>[0]> = {}) =>
      sweep({
        store,
        files,
        retention: { ageMs: null, bytes: null, spareBytes: 0, ...retention },
        now: clock.now,
        log: (_level, message, fields) => logged.push([message, fields]),
        ...over,
      }),
    left: () => files.keys().map(key => key.split('/')[1]),
  }
}

describe('housekeeping by age', () => {
  it('removes what has been kept long enough, and says so on the prediction', async () => {
    const home = await setup({ ageMs: 30 * day })
    await home.prediction('old', 31)
    await home.prediction('new', 29)
    await home.file('upload', 31)
    await home.file('fresh', 29)
    expect(await home.sweep()).toEqual({ predictions: 1, files: 1 })
    expect(home.left()).toEqual(['new', 'fresh'])
    const record = (await home.store.get('old'))?.record
    expect(record).toMatchObject({ status: 'succeeded', input: {}, files: {}, output: null, dataRemovedAt: 100 * day })
    expect(await home.store.getFile('upload')).toBe(null)
    expect(home.logged).toHaveLength(1)
    expect([await home.sweep(), home.logged.length]).toEqual([{ predictions: 0, files: 0 }, 1])
  })

  it('goes through any number of them', async () => {
    const home = await setup({ ageMs: day })
    for (let number = 0; number < 120; number++) await home.prediction(`p${number}`, 2)
    for (let number = 0; number < 70; number++) await home.file(`f${number}`, 2)
    expect([await home.sweep(), home.left()]).toEqual([{ predictions: 120, files: 70 }, []])
  })

  it('leaves what a prediction that is not settled still needs', async () => {
    const home = await setup({ ageMs: day })
    await home.prediction('live', 90, { settledAt: null, status: 'processing' })
    await home.file('needed', 90)
    await home.store.holdFile('needed', 100 * day)
    expect([await home.sweep(), home.left()]).toEqual([{ predictions: 0, files: 0 }, ['live', 'needed']])
  })

  it('leaves bytes that a younger file shares', async () => {
    const home = await setup({ ageMs: 30 * day })
    await home.file('old', 31, 'same')
    await home.file('young', 1, 'same')
    expect([await home.sweep(), home.left()]).toEqual([{ predictions: 0, files: 1 }, ['old']])
    expect(await home.store.getFile('young')).toMatchObject({ key: 'files/old' })
  })
})

describe('housekeeping by bytes', () => {
  it('removes the oldest, inputs and outputs alike, until the rest fits', async () => {
    const home = await setup({ bytes: 130 })
    await home.file('1', 9)
    await home.prediction('2', 8)
    await home.file('3', 7)
    await home.prediction('4', 6)
    await home.file('5', 5)
    expect([await home.sweep(), home.left()]).toEqual([{ predictions: 1, files: 1 }, ['3', '4', '5']])
    expect(await home.store.keptBytes()).toBe(130)
  })

  it.each([
    ['shadow runs, which go when they were compared', (number: number) => ({ id: `s${number}`, shadowOf: 'mine' })],
    ['warm-ups, which go before the next one', (number: number) => ({ id: `warm-${number}` })],
  ])('counts no outputs of %s, against those that somebody wants', async (_, over) => {
    const home = await setup({ bytes: 100 })
    await home.prediction('mine', 9)
    for (let number = 0; number < 5; number++) {
      const { id, ...more } = over(number)
      await home.prediction(id, 8, more)
      await home.files.remove(`outputs/${id}/a/scene.ply`)
    }
    expect([await home.sweep(), home.left()]).toEqual([{ predictions: 0, files: 0 }, ['mine']])
  })

  it('leaves predictions that keep no bytes: their removal would free none', async () => {
    const home = await setup({ bytes: 10 })
    await home.prediction('failed', 9, { output: null, status: 'failed' })
    await home.prediction('good', 8)
    expect(await home.sweep()).toEqual({ predictions: 1, files: 0 })
    expect((await home.store.get('failed'))?.record.dataRemovedAt).toBe(undefined)
  })

  it('ends where nothing that is left may go', async () => {
    const home = await setup({ bytes: 10 })
    await home.file('held', 9)
    await home.store.holdFile('held', 200 * day)
    expect(await home.sweep()).toEqual({ predictions: 0, files: 0 })
  })
})

it('a process that dies between bytes and mark leaves the rest to the next round', async () => {
  const home = await setup({ ageMs: day })
  await home.prediction('p', 2)
  const dies = { ...home.store, commit: () => Promise.reject(new Error('killed')) }
  await expect(home.sweep({ store: dies })).rejects.toThrow('killed')
  expect([home.left(), (await home.store.get('p'))?.record.dataRemovedAt]).toEqual([[], undefined])
  expect(await home.sweep()).toEqual({ predictions: 1, files: 0 })
})

describe('what was made of an output', () => {
  it('goes with it', async () => {
    const home = await setup({ ageMs: day })
    await home.prediction('p', 2)
    await home.bytes('derived/0/a.sog', 20)
    await home.bytes('derived/1/a.sog', 20)
    await home.sweep()
    expect(home.files.keys()).toEqual(['derived/1/a.sog'])
  })

  it('goes before anything that cannot be made again', async () => {
    const home = await setup({ bytes: 100 })
    await home.prediction('p', 2)
    for (const name of ['a', 'b', 'c']) await home.bytes(`derived/0/${name}.sog`, 20)
    expect(await home.sweep()).toEqual({ predictions: 0, files: 0 })
    expect(home.files.keys()).toEqual(['outputs/p/a/scene.ply', 'derived/0/c.sog'])
  })
})
