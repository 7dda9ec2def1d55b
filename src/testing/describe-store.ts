import { describe, expect, it } from 'vitest'
import { createFailure } from '../core/failure.ts'
import { type MigrationPlan, startMigration } from '../core/migration.ts'
import type { NotificationState, PredictionRecord } from '../core/prediction.ts'
import { withoutData } from '../core/retention.ts'
import type { Change, StoredPrediction } from '../store/contract.ts'
import { describeStoreLeases } from './describe-store-leases.ts'
import { describeStorePlaces } from './describe-store-places.ts'
import { describeStoreStanding } from './describe-store-standing.ts'
import { describeStoreTokens } from './describe-store-tokens.ts'
import { commitOne, type OpenedStore, openForTest } from './opened-store.ts'
import { sampleAttempt, sampleChange, sampleFileRow, samplePrediction } from './sample-records.ts'

/**
 * The contract of every store, as tests: whoever implements `Store` calls this in a test file and is done when it
 * passes. `open` answers a fresh, empty store each time.
 */
export function describeStore(name: string, open: () => Promise<OpenedStore>): void {
  const setup = () => openForTest(open)

  describe(`${name}: commit`, () => {
    it('stores a record whole and reads it back with version 1', async () => {
      const { store } = await setup()
      const record = samplePrediction({
        id: 'a',
        input: { text: 'Zürich \u0000 \ud83d\ude00 "quoted"', deep: [1, null, { yes: true }] },
        attempts: [sampleAttempt({ id: 'a1', reserved: 0.25 })],
      })
      expect(await store.commit([sampleChange(record, { nextAt: 5_000 })])).toEqual(['committed'])
      expect(await store.get('a')).toEqual({ record, version: 1, nextAt: 5_000 })
    })

    it('answers null for an id that it does not know', async () => {
      const { store } = await setup()
      expect(await store.get('nobody')).toBe(null)
    })

    it('grows the version by one with each write', async () => {
      const { store } = await setup()
      const record = samplePrediction({ id: 'a' })
      await store.commit([sampleChange(record)])
      const changed = { ...record, status: 'processing' } as const
      expect(await commitOne(store, sampleChange(changed, { version: 1, nextAt: 9_000 }))).toBe('committed')
      expect(await store.get('a')).toEqual({ record: changed, version: 2, nextAt: 9_000 })
    })

    it('refuses a write from an old version as a conflict and changes nothing', async () => {
      const { store } = await setup()
      const record = samplePrediction({ id: 'a' })
      await store.commit([sampleChange(record)])
      await store.commit([sampleChange({ ...record, status: 'processing' }, { version: 1 })])
      const late = { ...record, status: 'failed', attempts: [sampleAttempt({ id: 'late' })] } as const
      expect(await commitOne(store, sampleChange(late, { version: 1 }))).toBe('conflict')
      expect(await store.get('a')).toMatchObject({ version: 2, record: { status: 'processing' } })
      expect(await store.predictionOf('late')).toBe(null)
    })

    it('refuses an insert of an id that exists, and a write to one that does not, as conflicts', async () => {
      const { store } = await setup()
      const record = samplePrediction({ id: 'a' })
      await store.commit([sampleChange(record)])
      expect(await commitOne(store, sampleChange(samplePrediction({ id: 'a', owner: 'other' })))).toBe('conflict')
      expect(await commitOne(store, sampleChange(samplePrediction({ id: 'b' }), { version: 1 }))).toBe('conflict')
      expect(await store.get('a')).toMatchObject({ record: { owner: 'local' } })
      expect(await store.get('b')).toBe(null)
    })

    it('applies each change of a batch on its own merits, in order', async () => {
      const { store } = await setup()
      const [a, b] = [samplePrediction({ id: 'a' }), samplePrediction({ id: 'b' })]
      await store.commit([sampleChange(a)])
      const outcomes = await store.commit([
        sampleChange(a),
        sampleChange(b),
        sampleChange({ ...b, status: 'processing' }, { version: 1 }),
        sampleChange({ ...b, status: 'failed' }, { version: 1 }),
      ])
      expect(outcomes).toEqual(['conflict', 'committed', 'committed', 'conflict'])
      expect(await store.get('b')).toMatchObject({ version: 2, record: { status: 'processing' } })
    })

    it('lets exactly one of many writers at the same version through', async () => {
      const { store } = await setup()
      await store.commit([sampleChange(samplePrediction({ id: 'a' }))])
      const writers = Array.from({ length: 20 }, (_, writer) =>
        commitOne(store, sampleChange(samplePrediction({ id: 'a', owner: `writer${writer}` }), { version: 1 })),
      )
      const outcomes = await Promise.all(writers)
      expect(outcomes.filter(outcome => outcome === 'committed')).toHaveLength(1)
      const winner = outcomes.indexOf('committed')
      expect(await store.get('a')).toMatchObject({ version: 2, record: { owner: `writer${winner}` } })
    })

    it('refuses a record that is neither settled nor ever due', async () => {
      const { store } = await setup()
      const open = samplePrediction({ id: 'a' })
      await expect(store.commit([sampleChange(open, { nextAt: null })])).rejects.toMatchObject({
        failure: { code: 'internal' },
      })
      expect(await store.get('a')).toBe(null)
      const settled = samplePrediction({ id: 'b', settledAt: 2_000 })
      expect(await commitOne(store, sampleChange(settled, { nextAt: null }))).toBe('committed')
    })

    it('finds the prediction of an attempt', async () => {
      const { store } = await setup()
      const attempts = [sampleAttempt({ id: 'a1', state: 'failed', release: 'confirmed' }), sampleAttempt({ id: 'a2' })]
      await store.commit([sampleChange(samplePrediction({ id: 'a', attempts }))])
      expect(await store.predictionOf('a1')).toBe('a')
      expect(await store.predictionOf('a2')).toBe('a')
      expect(await store.predictionOf('a3')).toBe(null)
    })
  })

  describeStoreLeases(name, open)
  describeStoreTokens(name, open)
  describeStorePlaces(name, open)
  describeStoreStanding(name, open)

  describe(`${name}: reservations`, () => {
    const starting = (id: string, deployment = 'sharp@runpod') =>
      samplePrediction({ id, attempts: [sampleAttempt({ id: `${id}1`, deployment, reserved: 0.5 })] })
    const reserving = (record: PredictionRecord, concurrency: number, over: Partial<Change> = {}) =>
      sampleChange(record, {
        reservations: [{ deployment: 'sharp@runpod', concurrency, startsPerMinute: null, budget: null }],
        ...over,
      })

    it('refuses what no longer fits and leaves nothing of it behind', async () => {
      const { store } = await setup()
      const outcomes = await store.commit([
        reserving(starting('a'), 2),
        reserving(starting('b'), 2),
        reserving(starting('c'), 2),
        sampleChange(samplePrediction({ id: 'd' })),
      ])
      expect(outcomes).toEqual(['committed', 'committed', 'refused', 'committed'])
      expect(await store.get('c')).toBe(null)
      expect(await store.predictionOf('c1')).toBe(null)
    })

    it('never lets more through than fit when many ask at once', async () => {
      const { store } = await setup()
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, index) => commitOne(store, reserving(starting(`p${index}`), 7))),
      )
      expect(outcomes.filter(outcome => outcome === 'committed')).toHaveLength(7)
      expect(outcomes.filter(outcome => outcome === 'refused')).toHaveLength(13)
    })

    it('counts per deployment', async () => {
      const { store } = await setup()
      await store.commit([sampleChange(starting('a', 'sharp@modal'))])
      expect(await commitOne(store, reserving(starting('b'), 1))).toBe('committed')
    })

    it('counts an abandoned attempt until its end is confirmed or given up', async () => {
      const { store } = await setup()
      const record = starting('a')
      const ended = (release: 'open' | 'confirmed') => ({
        ...record,
        attempts: record.attempts.map(attempt => ({ ...attempt, state: 'failed', release }) as const),
      })
      await store.commit([sampleChange(record)])
      await store.commit([sampleChange(ended('open'), { version: 1 })])
      expect(await commitOne(store, reserving(starting('b'), 1))).toBe('refused')
      await store.commit([sampleChange(ended('confirmed'), { version: 2 })])
      expect(await commitOne(store, reserving(starting('b'), 1))).toBe('committed')
    })

    it("counts the record's other attempts on the deployment, and its own place once", async () => {
      const { store } = await setup()
      const record = starting('a')
      await store.commit([reserving(record, 1)])
      expect(await commitOne(store, reserving(record, 1, { version: 1 }))).toBe('committed')
      const hedge = sampleAttempt({ id: 'a2', number: 2, deployment: 'sharp@runpod' })
      const hedged = { ...record, attempts: [...record.attempts, hedge] }
      expect(await commitOne(store, reserving(hedged, 1, { version: 2 }))).toBe('refused')
      expect(await commitOne(store, reserving(hedged, 2, { version: 2 }))).toBe('committed')
    })

    it('refuses more starts within a minute than the deployment allows, whoever sends them', async () => {
      const { store, advance } = await setup()
      const now = await store.now()
      const limited = (id: string, at: number) => {
        const attempt = sampleAttempt({ id: `${id}1`, deployment: 'sharp@runpod', submittedAt: at })
        const reservation = { deployment: 'sharp@runpod', concurrency: 9, startsPerMinute: 2, budget: null }
        return sampleChange(samplePrediction({ id, attempts: [attempt] }), { reservations: [reservation] })
      }
      expect(await store.commit([limited('a', now), limited('b', now), limited('c', now)])).toEqual([
        ...['committed', 'committed', 'refused'],
      ])
      await advance(60_000)
      expect(await commitOne(store, limited('d', now + 60_000))).toBe('committed')
    })

    it("never lets the day's starts cost more than its budget, whoever sends them and wherever", async () => {
      const { store } = await setup()
      const paid = (id: string, deployment: string, limit = 1) => {
        const attempt = sampleAttempt({ id: `${id}1`, deployment, submittedAt: 5_000, reserved: 0.4 })
        const budget = { amount: 0.4, since: 2_000, limit }
        const reservation = { deployment, concurrency: 99, startsPerMinute: null, budget }
        return sampleChange(samplePrediction({ id, attempts: [attempt] }), { reservations: [reservation] })
      }
      const outcomes = await Promise.all(
        Array.from({ length: 9 }, (_, index) => commitOne(store, paid(`p${index}`, `sharp@${index}`))),
      )
      expect(outcomes.filter(outcome => outcome === 'committed')).toHaveLength(2)
      expect(outcomes.filter(outcome => outcome === 'refused')).toHaveLength(7)
      expect(await store.spentSince(2_000)).toBe(0.8)
      expect(await commitOne(store, paid('later', 'sharp@0', 2))).toBe('committed')
    })

    it('answers conflict, not refused, to an old version that would not fit either', async () => {
      const { store } = await setup()
      await store.commit([reserving(starting('a'), 1), sampleChange(samplePrediction({ id: 'b' }))])
      expect(await commitOne(store, reserving(starting('b'), 1, { version: 7 }))).toBe('conflict')
      expect(await commitOne(store, reserving(starting('b'), 1))).toBe('conflict')
    })
  })

  describe(`${name}: what attempts say`, () => {
    it('gives the newest attempts of a deployment, newest first, with what statistics need', async () => {
      const { store } = await setup()
      const won = sampleAttempt({
        ...{ id: 'a1', deployment: 'sharp@runpod', state: 'won', release: 'confirmed', restarts: 1 },
        ...{ plannedAt: 10, submittedAt: 11, bootingAt: 12, runningAt: 13, collectingAt: 14, endedAt: 15 },
        cost: { amount: 0.25, currency: 'USD', estimated: false },
      })
      const failed = sampleAttempt({
        ...{ id: 'b1', deployment: 'sharp@runpod', state: 'failed', release: 'confirmed', plannedAt: 20, endedAt: 21 },
        failure: createFailure('stalled', 'No change.', { retryAfterMs: 9 }),
      })
      const other = sampleAttempt({ id: 'c1', deployment: 'sharp@modal', plannedAt: 30 })
      for (const [id, attempt] of Object.entries({ a: won, b: failed, c: other })) {
        await store.commit([sampleChange(samplePrediction({ id, attempts: [attempt] }))])
      }
      expect(await store.recentAttempts('sharp@runpod', 1)).toMatchObject([
        { failure: 'stalled', plannedAt: 20, closedUntil: 30 },
      ])
      expect((await store.recentAttempts('sharp@runpod', 9))[1]).toEqual({
        ...{ deployment: 'sharp@runpod', state: 'won', failure: null, restarts: 1, closedUntil: null, cost: 0.25 },
        ...{ plannedAt: 10, submittedAt: 11, bootingAt: 12, runningAt: 13, collectingAt: 14, endedAt: 15 },
      })
    })

    it('marks attempts of warm-ups, for whom nobody waits', async () => {
      const { store } = await setup()
      for (const id of ['warm-a', 'b'])
        await store.commit([sampleChange(samplePrediction({ id, attempts: [sampleAttempt({ id: `${id}1` })] }))])
      const marks = (await store.recentAttempts('relief@local', 9)).map(({ warm }) => warm ?? false)
      expect(marks.toSorted()).toEqual([false, true])
    })

    it('sums money since a moment: cost where it is known, the worst case while it is not, nothing for a refused start', async () => {
      const { store } = await setup()
      const cost = { amount: 0.25, currency: 'USD', estimated: false } as const
      const open = sampleAttempt({ id: 'a1', submittedAt: 1_000, reserved: 2, cost })
      const over = sampleAttempt({
        id: 'b1',
        submittedAt: 1_000,
        state: 'won',
        release: 'confirmed',
        reserved: 2,
        cost,
      })
      const before = sampleAttempt({ id: 'c1', submittedAt: 999, reserved: 2 })
      const refused = sampleAttempt({ id: 'd1', submittedAt: 1_000, state: 'failed', release: 'none', reserved: 2 })
      const unpriced = sampleAttempt({
        id: 'e1',
        submittedAt: 1_000,
        state: 'won',
        release: 'confirmed',
        reserved: 0.5,
      })
      for (const [id, attempt] of Object.entries({ a: open, b: over, c: before, d: refused, e: unpriced })) {
        await store.commit([sampleChange(samplePrediction({ id, attempts: [attempt] }))])
      }
      expect(await store.spentSince(1_000)).toBe(2.75)
      expect(await store.spentSince(2_000)).toBe(0)
    })
  })

  describe(`${name}: list`, () => {
    const ids = (rows: readonly StoredPrediction[]) => rows.map(row => row.record.id)

    it('lists the newest first, and ids in descending order within a millisecond', async () => {
      const { store } = await setup()
      await store.commit(
        [
          ['b', 1_000],
          ['c', 2_000],
          ['a', 1_000],
          ['d', 500],
        ].map(([id, createdAt]) => sampleChange(samplePrediction({ id: String(id), createdAt: Number(createdAt) }))),
      )
      expect(ids(await store.list({ owner: null, limit: 10 }))).toEqual(['c', 'b', 'a', 'd'])
    })

    it('pages through equal timestamps without repeating or skipping a record', async () => {
      const { store } = await setup()
      const all = Array.from({ length: 25 }, (_, index) => `p${String(index).padStart(2, '0')}`)
      await store.commit(
        all.map((id, index) => sampleChange(samplePrediction({ id, createdAt: 1_000 + (index >> 3) }))),
      )
      const seen: string[] = []
      let before: { createdAt: number; id: string } | undefined
      for (;;) {
        const page = await store.list({ owner: null, limit: 4, ...(before && { before }) })
        const last = page.at(-1)?.record
        if (last === undefined) break
        seen.push(...ids(page))
        before = { createdAt: last.createdAt, id: last.id }
      }
      expect(seen).toEqual(all.toReversed())
    })

    it('shows an owner only what is theirs', async () => {
      const { store } = await setup()
      await store.commit([
        sampleChange(samplePrediction({ id: 'a', owner: 'ann' })),
        sampleChange(samplePrediction({ id: 'b', owner: 'bob' })),
      ])
      expect(ids(await store.list({ owner: 'bob', limit: 10 }))).toEqual(['b'])
      expect(ids(await store.list({ owner: 'cid', limit: 10 }))).toEqual([])
    })

    it('finds predictions by the worst that has become of their webhooks', async () => {
      const { store } = await setup()
      const of = (id: string, createdAt: number, ...states: readonly NotificationState[]) => {
        const entry = { event: 'completed', at: 0, tries: 0, nextAt: 0, pending: null } as const
        const queue = states.map((state, index) => ({ ...entry, id: `${id}${index}`, state }))
        return samplePrediction({ id, createdAt, webhook: { url: 'https://user.test/', events: ['completed'], queue } })
      }
      const records = [of('a', 1, 'delivered', 'dead'), of('b', 2, 'waiting'), of('c', 3, 'delivered'), of('d', 4)]
      await store.commit([...records, samplePrediction({ id: 'e' })].map(record => sampleChange(record)))
      const listed = async (webhook: NotificationState | 'any') =>
        ids(await store.list({ owner: 'local', limit: 10, webhook }))
      expect(await listed('dead')).toEqual(['a'])
      expect(await listed('waiting')).toEqual(['b'])
      expect(await listed('any')).toEqual(['c', 'b', 'a'])
      const [first] = records
      if (first !== undefined)
        await store.commit([sampleChange({ ...first, webhook: of('a', 1, 'delivered').webhook }, { version: 1 })])
      expect(await listed('dead')).toEqual([])
    })

    it('takes createdAfter as inclusive and createdBefore as exclusive', async () => {
      const { store } = await setup()
      const times = [1_000, 2_000, 3_000, 4_000]
      await store.commit(times.map(createdAt => sampleChange(samplePrediction({ id: `t${createdAt}`, createdAt }))))
      const rows = await store.list({ owner: 'local', limit: 10, createdAfter: 2_000, createdBefore: 4_000 })
      expect(ids(rows)).toEqual(['t3000', 't2000'])
    })
  })

  describe(`${name}: watch`, () => {
    it('tells listeners of committed changes only, with the new version, and of none after they left', async () => {
      const { store, advance } = await setup()
      await advance(1_000)
      const now = await store.now()
      const heard: unknown[] = []
      const leave = store.watch(change => heard.push(change))
      const record = samplePrediction({ id: 'a' })
      await store.commit([sampleChange(record, { nextAt: now + 1 }), sampleChange(record)])
      await store.commit([sampleChange(record, { version: 1, nextAt: now })])
      await store.commit([sampleChange({ ...record, settledAt: now }, { version: 2, nextAt: null })])
      leave()
      await store.commit([sampleChange(samplePrediction({ id: 'b' }))])
      await expect.poll(() => heard.length).toBeGreaterThanOrEqual(3)
      expect(heard).toEqual([
        { id: 'a', version: 1, dueNow: false },
        { id: 'a', version: 2, dueNow: true },
        { id: 'a', version: 3, dueNow: false },
      ])
    })
  })

  describe(`${name}: deliveries and secrets`, () => {
    it('takes a delivery in once: a repetition changes nothing, also when both come at once', async () => {
      const { store, advance } = await setup()
      await store.commit([sampleChange(samplePrediction({ id: 'a' }))])
      const heard = (version: number, delivery: string) =>
        sampleChange(samplePrediction({ id: 'a' }), { version, delivery })
      const both = await Promise.all([commitOne(store, heard(1, 'msg_1')), commitOne(store, heard(1, 'msg_1'))])
      expect(both).toEqual(['committed', 'replayed'])
      await advance(24 * 3_600_000)
      expect(await commitOne(store, heard(2, 'msg_1'))).toBe('replayed')
      expect(await commitOne(store, heard(1, 'msg_2'))).toBe('conflict')
      expect(await commitOne(store, heard(2, 'msg_2'))).toBe('committed')
    })

    it('creates a secret once: 32 random bytes, the same for whoever asks, another one for another name', async () => {
      const { store } = await setup()
      const [first, second] = await Promise.all([store.secret('callbacks'), store.secret('callbacks')])
      expect(first).toMatch(/^[A-Za-z0-9_-]{43}$/)
      expect(second).toBe(first)
      expect(await store.secret('files')).not.toBe(first)
    })
  })

  describe(`${name}: migrations of models`, () => {
    const plan: MigrationPlan = {
      from: 'relief@modal',
      to: 'relief@replicate',
      steps: [5, 100],
      shadow: { share: 0.1, runs: 0 },
      limits: { success: 'no-worse', slower: null, dearer: null, seconds: null, cost: null, differ: 0 },
      samples: 20,
    }
    const first = startMigration(plan, 1_000, 'Begun.')
    const second = { ...first, stage: { name: 'step', index: 1 }, since: 2_000 } as const

    it('keeps one state for each model, whole, and grows its version with each write', async () => {
      const { store } = await setup()
      expect(await store.migration('a/b')).toBe(null)
      expect(await store.putMigration('a/b', { state: first, version: 0 })).toBe(true)
      expect(await store.migration('a/b')).toEqual({ state: first, version: 1 })
      expect(await store.putMigration('a/b', { state: second, version: 1 })).toBe(true)
      expect(await store.migration('a/b')).toEqual({ state: second, version: 2 })
      expect(await store.migration('a/c')).toBe(null)
    })

    it('refuses a write from another version than the stored one, and changes nothing', async () => {
      const { store } = await setup()
      expect(await store.putMigration('a/b', { state: first, version: 1 })).toBe(false)
      await store.putMigration('a/b', { state: first, version: 0 })
      for (const version of [0, 2]) expect(await store.putMigration('a/b', { state: second, version })).toBe(false)
      expect(await store.migration('a/b')).toEqual({ state: first, version: 1 })
    })

    it('lets exactly one of many writers at the same version through', async () => {
      const { store } = await setup()
      for (const version of [0, 1]) {
        const writers = Array.from({ length: 10 }, () => store.putMigration('a/b', { state: second, version }))
        expect((await Promise.all(writers)).filter(Boolean)).toHaveLength(1)
      }
      expect(await store.migration('a/b')).toEqual({ state: second, version: 2 })
    })
  })

  describe(`${name}: what is kept`, () => {
    const output = { key: 'outputs/o', name: 'scene.ply', mediaType: 'a/b', bytes: 70, sha256: '0', facts: {} }
    const ended = (id: string, over: Partial<PredictionRecord> = {}) =>
      samplePrediction({ id, status: 'succeeded', completedAt: 2_000, settledAt: 2_000, output, ...over })

    it('are the outputs of settled predictions and files, until their data are removed', async () => {
      const { store } = await setup()
      expect(await store.keptBytes()).toBe(0)
      const records = [
        ended('b', { createdAt: 3_000 }),
        ended('a'),
        ended('failed', { createdAt: 9_000, output: null }),
      ]
      for (const record of records) await store.commit([sampleChange(record, { nextAt: null })])
      // Still running: whatever its age, it is nobody's to remove.
      await store.commit([sampleChange(samplePrediction({ id: 'live', output }))])
      await store.putFile(sampleFileRow({ id: 'f', bytes: 5 }))
      await store.putFile(sampleFileRow({ id: 'same', bytes: 5 }))
      const oldest = async (before: number, limit = 9) =>
        (await store.oldestKept({ before, limit })).map(({ record }) => record.id)
      expect([await store.keptBytes(), await oldest(9_000), await oldest(99_000), await oldest(99_000, 1)]).toEqual([
        145,
        ['a', 'b'],
        ['a', 'b', 'failed'],
        ['a'],
      ])
      const withOutput = await store.oldestKept({ before: 99_000, limit: 9, withOutput: true })
      expect(withOutput.map(({ record }) => record.id)).toEqual(['a', 'b'])
      const change = sampleChange(withoutData(ended('a'), 5_000), { version: 1, nextAt: null })
      expect(await store.commit([change])).toEqual(['committed'])
      expect([await store.keptBytes(), await oldest(99_000)]).toEqual([75, ['b', 'failed']])
    })
  })

  describe(`${name}: files`, () => {
    it('stores, replaces, finds and forgets a file', async () => {
      const { store } = await setup()
      const file = sampleFileRow({ id: 'f', name: 'Zürich.jpg', expiresAt: 9_000, metadata: '{"a":1}' })
      await store.putFile(file)
      expect(await store.getFile('f')).toEqual(file)
      await store.putFile({ ...file, name: 'other.jpg' })
      expect(await store.getFile('f')).toEqual({ ...file, name: 'other.jpg' })
      expect([await store.deleteFile('f'), await store.deleteFile('f')]).toEqual([file.key, null])
      expect(await store.getFile('f')).toBe(null)
    })

    it('keeps the same bytes once for each owner, until nobody needs them', async () => {
      const { store } = await setup()
      const [same, other] = ['a'.repeat(64), 'b'.repeat(64)]
      const put = async (id: string, owner: string, sha256: string) =>
        (await store.putFile(sampleFileRow({ id, owner, sha256 }))).key
      expect([
        await put('1', 'ann', same),
        await put('2', 'ann', same),
        await put('3', 'ann', other),
        await put('4', 'bob', same),
        // Replaced as a whole, and still the same bytes.
        await put('2', 'ann', same),
      ]).toEqual(['files/1', 'files/1', 'files/3', 'files/4', 'files/1'])
      expect((await store.getFile('2'))?.key).toBe('files/1')
      expect(await store.deleteFile('1')).toBe(null)
      expect(await put('5', 'ann', same)).toBe('files/1')
      expect([await store.deleteFile('5'), await store.deleteFile('2')]).toEqual([null, 'files/1'])
      expect(await store.deleteFile('4')).toBe('files/4')
    })

    it('never gives up bytes that somebody begins to share at the same moment', async () => {
      const { store } = await setup()
      const sha256 = 'a'.repeat(64)
      for (let round = 0; round < 20; round++) {
        const first = await store.putFile(sampleFileRow({ id: `${round}-first`, sha256 }))
        const [freed, second] = await Promise.all([
          store.deleteFile(first.id),
          store.putFile(sampleFileRow({ id: `${round}-second`, sha256 })),
        ])
        expect(freed).toBe(second.key === first.key ? null : first.key)
        expect(await store.deleteFile(second.id)).toBe(second.key)
      }
    })

    it('holds a file for as long as something needs it', async () => {
      const { store } = await setup()
      await store.putFile(sampleFileRow({ id: 'f' }))
      expect([await store.holdFile('f', 5_000), await store.holdFile('f', 4_000)]).toEqual([true, true])
      expect([await store.holdFile('gone', 5_000), await store.deleteUnneeded('gone', 9_000)]).toEqual([false, null])
      expect([await store.deleteUnneeded('f', 5_000), await store.getFile('f')]).toEqual([
        null,
        sampleFileRow({ id: 'f' }),
      ])
      expect([await store.deleteUnneeded('f', 5_001), await store.getFile('f')]).toEqual([{ freed: 'files/f' }, null])
    })

    it('either holds a file or deletes it, never both', async () => {
      const { store } = await setup()
      for (let round = 0; round < 20; round++) {
        const { id } = await store.putFile(sampleFileRow({ id: `f${round}` }))
        const [isHeld, deleted] = await Promise.all([store.holdFile(id, 5_000), store.deleteUnneeded(id, 2_000)])
        expect(isHeld).toBe(deleted === null)
        expect((await store.getFile(id)) === null).toBe(!isHeld)
      }
    })

    it('finds the oldest that nothing needs', async () => {
      const { store } = await setup()
      for (const [id, createdAt] of [
        ['c', 3_000],
        ['a', 1_000],
        ['held', 1_500],
        ['b', 2_000],
      ] as const)
        await store.putFile(sampleFileRow({ id, createdAt, sha256: id }))
      await store.holdFile('held', 8_000)
      const oldest = async (before: number, now: number, limit = 9) =>
        (await store.oldestFiles({ before, now, limit })).map(({ id }) => id)
      expect([await oldest(3_000, 5_000), await oldest(9_000, 9_000), await oldest(9_000, 5_000, 1)]).toEqual([
        ['a', 'b'],
        ['a', 'held', 'b', 'c'],
        ['a'],
      ])
    })

    it("lists an owner's files newest first, page by page", async () => {
      const { store } = await setup()
      for (const id of ['a', 'b', 'c', 'd'])
        await store.putFile(sampleFileRow({ id, createdAt: id === 'a' ? 500 : 1_000 }))
      await store.putFile(sampleFileRow({ id: 'theirs', owner: 'ann' }))
      const page = async (after?: string) =>
        (await store.listFiles({ owner: 'local', limit: 3, ...(after && { after }) })).map(file => file.id)
      expect(await page()).toEqual(['d', 'c', 'b'])
      expect(await page('b')).toEqual(['a'])
      expect(await page('a')).toEqual([])
    })

    it("refuses a cursor that is not a file of the owner's", async () => {
      const { store } = await setup()
      await store.putFile(sampleFileRow({ id: 'theirs', owner: 'ann' }))
      for (const after of ['theirs', 'nobody'])
        await expect(store.listFiles({ owner: 'local', limit: 3, after })).rejects.toMatchObject({
          failure: { code: 'input_invalid' },
        })
    })
  })
}
