import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Attempt, PredictionRecord } from '../core/prediction.ts'
import { uploadKey } from '../core/upload.ts'
import type { FileStore } from '../files/contract.ts'
import { createDiskFiles } from '../files/disk.ts'
import { createS3Files } from '../files/s3.ts'
import { startS3 } from '../files/test-s3.ts'
import type { Store } from '../store/contract.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { createMemoryStore } from '../testing/memory-store.ts'
import { sampleAttempt, sampleChange, samplePrediction } from '../testing/sample-records.ts'
import { textModel } from '../testing/text-model.ts'
import { outputKey } from './collect.ts'
import { createOrphans, type OrphansDependencies } from './orphans.ts'

const hour = 3_600_000

function setup<F extends Omit<FileStore, 'outside'>>(files: F, over: Partial<OrphansDependencies> = {}) {
  const clock = createSimulatedClock()
  const store = createMemoryStore(clock.now)
  const logged: unknown[] = []
  /** One more process. */
  const prepare = (more: Partial<OrphansDependencies> = {}) =>
    createOrphans({
      ...{ store, files, alone: true, newId: () => 'm', now: clock.now },
      log: (level, message, fields) => logged.push([level, message, fields]),
      ...over,
      ...more,
    })
  async function put(...keys: string[]) {
    for (const key of keys) await files.put(key, new Blob(['done']).stream(), { maxBytes: 9 })
  }
  return {
    ...{ clock, store, files, logged, prepare, put },
    orphans: prepare(),
    /** A settled prediction with these attempts, whose output is where it says. */
    async settled(id: string, attempts: readonly Attempt[], key: string | null) {
      await store.commit([
        sampleChange(ended(samplePrediction({ id, attempts: [...attempts] }), key), { nextAt: null }),
      ])
    },
    async keys() {
      const found: string[] = []
      for (const folder of ['outputs', 'uploads', 'files'])
        for await (const { key } of files.list(folder)) found.push(key)
      return found
    },
  }
}

function ended(record: PredictionRecord, key: string | null): PredictionRecord {
  const output =
    key === null ? null : { key, name: 'text.txt', mediaType: 'text/plain', bytes: 4, sha256: '0', facts: {} }
  return { ...record, status: output === null ? 'failed' : 'succeeded', completedAt: 2_000, settledAt: 2_000, output }
}

function collected(predictionId: string, attemptId: string): string {
  return outputKey({ predictionId, attemptId, model: textModel })
}

async function openDisk(): Promise<FileStore> {
  const directory = await mkdtemp(join(tmpdir(), 'surefoot-orphans-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return createDiskFiles({ directory })
}

async function openBucket(): Promise<FileStore> {
  const s3 = await startS3({ conditional: true })
  onTestFinished(s3.close)
  return createS3Files(s3.options)
}

describe.each([
  ['on disk', openDisk],
  ['in a bucket', openBucket],
])('files %s', (_, open) => {
  it('go where they are not the output of a settled prediction; what one that is not settled may need stays', async () => {
    const home = setup(await open())
    const lost = sampleAttempt({ id: 'lost', state: 'superseded' })
    const won = sampleAttempt({ id: 'won', state: 'won' })
    await home.settled('by-url', [lost, won], collected('by-url', 'won'))
    const kit = sampleAttempt({ id: 'kit', state: 'won' })
    const late = sampleAttempt({ id: 'late', state: 'lost' })
    await home.settled('by-kit', [kit, late], uploadKey('kit'))
    const attempts = [
      sampleAttempt({ id: 'dead', state: 'failed' }),
      sampleAttempt({ id: 'live', state: 'collecting' }),
    ]
    await home.store.commit([sampleChange(samplePrediction({ id: 'open', attempts }))])
    const needed = [
      ...[collected('by-url', 'won'), collected('open', 'live'), uploadKey('kit')],
      ...[uploadKey('live'), uploadKey('live', 'answer.1'), 'files/photo'],
    ]
    await home.put(...needed)
    await home.put(collected('by-url', 'lost'), collected('by-url', 'never'), collected('by-kit', 'kit'))
    await home.put(uploadKey('kit', 'answer.1'), uploadKey('late'), uploadKey('won'))
    await home.orphans.round()
    expect((await home.keys()).toSorted()).toEqual(needed.toSorted())
    expect(home.logged).toEqual([['info', 'Files that were left behind are removed.', { files: 6, bytes: 24 }]])
  })
})

describe('files of predictions that this database does not know', () => {
  it('go where they can be nobody else’s', async () => {
    const home = setup(await openDisk())
    await home.put(collected('gone', 'a'), uploadKey('gone'), 'outputs/strange')
    await home.orphans.round()
    expect(await home.keys()).toEqual([])
  })

  it.each([
    ['where others may keep theirs', openBucket, {}],
    ['beside other processes', openDisk, { alone: false }],
  ])('stay %s, and are spoken of once', async (_, open, over) => {
    const files = await open()
    const home = setup(files, over)
    await home.put(collected('theirs', 'a'), uploadKey('theirs'))
    await home.orphans.round()
    expect(await home.keys()).toHaveLength(2)
    expect(home.logged).toEqual([['warn', expect.stringMatching('They stay'), { example: collected('theirs', 'a') }]])
  })
})

describe('a search', () => {
  async function setupMany(count: number) {
    const home = setup(createMemoryFiles())
    const attempts = Array.from({ length: count }, (_, index) =>
      sampleAttempt({ id: `${(index * 7919) % 100_000}`.padStart(5, '0'), state: 'lost' }),
    )
    await home.settled('p', attempts, null)
    await home.put(...attempts.map(({ id }) => uploadKey(id)))
    return home
  }

  it('looks at 200 files in a round, and again at all of them a day after its end', async () => {
    const home = await setupMany(450)
    const left = []
    for (let round = 0; round < 3; round++) {
      await home.orphans.round()
      left.push((await home.keys()).length)
    }
    expect(left).toEqual([250, 50, 0])
    await home.put(uploadKey('00000'))
    await home.clock.advance(24 * hour - 1)
    await home.orphans.round()
    expect(await home.keys()).toHaveLength(1)
    await home.clock.advance(1)
    await home.orphans.round()
    expect(await home.keys()).toEqual([])
  })

  it('begins where chance says, so that processes which live for one round see the end of a long list too', async () => {
    const home = await setupMany(450)
    // At the order of 100,000 ids: behind them all, and in the middle of them.
    await home.prepare({ newId: () => '9' }).round()
    await home.prepare({ newId: () => '5' }).round()
    const left = (await home.keys()).map(key => key.slice('uploads/'.length))
    expect(left).toHaveLength(50)
    expect(left.every(id => id < '5')).toBe(true)
  })

  it('is one for all who ask at the same time', async () => {
    const home = await setupMany(450)
    await Promise.all([home.orphans.round(), home.orphans.round()])
    expect(await home.keys()).toHaveLength(250)
  })

  it('ends with a store that fails, and the next round begins another one', async () => {
    const home = await setupMany(300)
    let isAway = false
    const get: Store['get'] = id => (isAway ? Promise.reject(new Error('away')) : home.store.get(id))
    const orphans = home.prepare({ store: { ...home.store, get } })
    await orphans.round()
    isAway = true
    await expect(orphans.round()).rejects.toThrow('away')
    isAway = false
    await orphans.round()
    expect(await home.keys()).toEqual([])
  })
})

it('takes no output and nothing that may become one, whatever happens while it looks, and leaves nothing else', async () => {
  const work = fc.record({
    /** How many attempts bring a file, and which of them wins; none where there is no such one. */
    attempts: fc.integer({ min: 1, max: 3 }),
    winner: fc.nat(3),
    byKit: fc.boolean(),
    /** A file that comes when all is over. */
    isLate: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(work, { minLength: 1, maxLength: 5 }),
      fc.infiniteStream(fc.nat(2)),
      async (works, paces) => {
        const home = setup(createMemoryFiles(), { newId: () => 'p2' })
        const kept = new Set<string>()
        const lives = works.map(({ attempts: count, winner, byKit, isLate }, index) => {
          const id = `p${index}`
          const attempts = Array.from({ length: count }, (_, number) => sampleAttempt({ id: `${id}a${number}` }))
          const keys = attempts.map(attempt => (byKit ? uploadKey(attempt.id) : collected(id, attempt.id)))
          const record = samplePrediction({ id, attempts })
          const states = attempts.map((attempt, number): Attempt => {
            return { ...attempt, state: number === winner ? 'won' : 'lost' }
          })
          const key = keys[winner] ?? null
          return (async function* live() {
            await home.store.commit([sampleChange(record)])
            for (const each of keys) yield await home.put(each)
            if (key !== null) kept.add(key)
            await home.store.commit([
              sampleChange(ended({ ...record, attempts: states }, key), { version: 1, nextAt: null }),
            ])
            yield
            if (isLate) yield await home.put(uploadKey(`${id}a0`, 'late'))
          })()
        })
        /** Some of them live on before the search's next call. */
        async function pass() {
          for (const life of lives) {
            const steps: number = paces.next().value
            for (let step = 0; step < steps; step++) await life.next()
          }
          for (const key of kept) expect(home.files.has(key)).toBe(true)
        }
        const { list, remove } = home.files
        const orphans = home.prepare({
          store: {
            get: id => pass().then(() => home.store.get(id)),
            predictionOf: id => pass().then(() => home.store.predictionOf(id)),
          },
          files: {
            async *list(folder, after) {
              await pass()
              for await (const file of list(folder, after)) {
                await pass()
                yield file
              }
            },
            remove: key => pass().then(() => remove(key)),
          },
        })
        await orphans.round()
        for (const life of lives) for await (const _ of life);
        for (const key of kept) expect(home.files.has(key)).toBe(true)
        await home.clock.advance(24 * hour)
        await orphans.round()
        expect(new Set(await home.keys())).toEqual(kept)
      },
    ),
  )
})
