import { describe, expect, it } from 'vitest'
import type { Store } from '../store/contract.ts'
import { commitOne, type OpenedStore, openForTest } from './opened-store.ts'
import { sampleChange, samplePrediction } from './sample-records.ts'

/** The part of `describeStore` about who may begin effects, and when. */
export function describeStoreLeases(name: string, open: () => Promise<OpenedStore>): void {
  /** Records due at the named offsets from now. */
  async function setup(due: { readonly [id: string]: number } = {}) {
    const opened = await openForTest(open)
    const now = await opened.store.now()
    await opened.store.commit(
      Object.entries(due).map(([id, offset]) => sampleChange(samplePrediction({ id }), { nextAt: now + offset })),
    )
    return { ...opened, now }
  }
  const leased = async (store: Store, engine: string, limit = 10) =>
    (await store.lease({ engine, leaseMs: 15_000, limit })).map(row => row.record.id)
  const leasedOne = async (store: Store, id: string, engine: string) =>
    (await store.leaseOne(id, { engine, leaseMs: 15_000 }))?.record.id ?? null

  describe(`${name}: leases`, () => {
    it('leases what is due, oldest due first, up to the limit', async () => {
      const { store } = await setup({ a: -10, b: -30, c: 0, d: 1, e: -20 })
      expect(await leased(store, 'one', 3)).toEqual(['b', 'e', 'a'])
      expect(await leased(store, 'two')).toEqual(['c'])
    })

    it('answers the stored record with its version', async () => {
      const { store, now } = await setup({ a: 0 })
      expect(await store.lease({ engine: 'one', leaseMs: 15_000, limit: 1 })).toEqual([
        { record: samplePrediction({ id: 'a' }), version: 1, nextAt: now },
      ])
    })

    it('never leases a settled record', async () => {
      const { store, now } = await setup()
      await store.commit([sampleChange(samplePrediction({ id: 'a', settledAt: now }), { nextAt: null })])
      expect(await leased(store, 'one')).toEqual([])
    })

    it('gives each record to one of two engines that race', async () => {
      const due = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`p${index}`, -index]))
      const { store } = await setup(due)
      const [one, two] = await Promise.all([leased(store, 'one', 30), leased(store, 'two', 30)])
      expect([...one, ...two].toSorted()).toEqual(Object.keys(due).toSorted())
    })

    it('holds a lease until its end by its own clock, not longer', async () => {
      const { store, advance } = await setup({ a: 0 })
      await leased(store, 'one')
      await advance(14_999)
      expect(await leased(store, 'two')).toEqual([])
      await advance(1)
      expect(await leased(store, 'two')).toEqual(['a'])
      expect(await leased(store, 'one')).toEqual([])
    })

    it('does not lease again to an engine what it already holds', async () => {
      const { store } = await setup({ a: 0 })
      await leased(store, 'one')
      expect(await leased(store, 'one')).toEqual([])
    })

    it('makes what is given back due at once', async () => {
      const { store } = await setup({ a: 60_000 })
      await leasedOne(store, 'a', 'one')
      await store.release('one', ['a'])
      expect(await leased(store, 'two')).toEqual(['a'])
    })

    it('leases one record by id, due or not, unless somebody else holds it', async () => {
      const { store, advance } = await setup({ a: 60_000 })
      expect(await leasedOne(store, 'nobody', 'one')).toBe(null)
      expect(await leasedOne(store, 'a', 'one')).toBe('a')
      expect(await leasedOne(store, 'a', 'one')).toBe('a')
      expect(await leasedOne(store, 'a', 'two')).toBe(null)
      await advance(15_000)
      expect(await leasedOne(store, 'a', 'two')).toBe('a')
    })

    it('renews every lease of an engine and names them with their stored versions', async () => {
      const { store, now, advance } = await setup({ a: 0, b: 0, c: 0 })
      await leasedOne(store, 'c', 'two')
      await leased(store, 'one')
      await store.commit([sampleChange(samplePrediction({ id: 'b' }), { version: 1, nextAt: now })])
      await advance(10_000)
      expect(await store.renew('one', 15_000)).toEqual(
        new Map([
          ['a', 1],
          ['b', 2],
        ]),
      )
      await advance(14_999)
      expect(await leased(store, 'two')).toEqual(['c'])
      await advance(1)
      expect(await leased(store, 'two')).toEqual(['a', 'b'])
    })

    it('does not revive a lease that has lapsed', async () => {
      const { store, advance } = await setup({ a: 0 })
      await leased(store, 'one')
      await advance(15_000)
      expect(await store.renew('one', 15_000)).toEqual(new Map())
      expect(await leased(store, 'two')).toEqual(['a'])
    })

    it("releases an engine's own leases only", async () => {
      const { store } = await setup({ a: 0, b: 0, c: 0 })
      await leasedOne(store, 'a', 'one')
      await leasedOne(store, 'b', 'one')
      await leasedOne(store, 'c', 'two')
      await store.release('one', ['a', 'c', 'nobody'])
      await store.release('one', [])
      expect(await leased(store, 'three')).toEqual(['a'])
    })

    it('releases a thousand leases at once', async () => {
      const due = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`p${index}`, 0]))
      const { store } = await setup(due)
      await leased(store, 'one', 1_000)
      await store.release('one', Object.keys(due))
      expect(await leased(store, 'two', 2_000)).toHaveLength(1_000)
    })
  })

  describe(`${name}: leases in commits`, () => {
    const lease = (engine: string) => ({ engine, leaseMs: 15_000 })

    it('takes the lease with an insert', async () => {
      const { store } = await setup()
      await store.commit([sampleChange(samplePrediction({ id: 'a' }), { lease: lease('one') })])
      expect(await leasedOne(store, 'a', 'two')).toBe(null)
      expect(await store.renew('one', 15_000)).toEqual(new Map([['a', 1]]))
    })

    it('renews the lease with a write', async () => {
      const { store, advance } = await setup({ a: 0 })
      await leased(store, 'one')
      await advance(10_000)
      const change = sampleChange(samplePrediction({ id: 'a' }), { version: 1, lease: lease('one') })
      expect(await commitOne(store, change)).toBe('committed')
      await advance(14_999)
      expect(await leasedOne(store, 'a', 'two')).toBe(null)
      await advance(1)
      expect(await leasedOne(store, 'a', 'two')).toBe('a')
    })

    it('is a conflict to take a lease that another engine holds, until that lease lapses', async () => {
      const { store, advance } = await setup({ a: 0 })
      await leased(store, 'one')
      const taking = sampleChange(samplePrediction({ id: 'a', status: 'processing' }), {
        version: 1,
        lease: lease('two'),
        reservations: [{ deployment: 'relief@local', concurrency: 0, startsPerMinute: null, budget: null }],
      })
      expect(await commitOne(store, taking)).toBe('conflict')
      expect(await commitOne(store, { ...taking, reservations: [] })).toBe('conflict')
      expect(await store.get('a')).toMatchObject({ version: 1, record: { status: 'starting' } })
      await advance(15_000)
      expect(await commitOne(store, { ...taking, reservations: [] })).toBe('committed')
      expect(await store.renew('two', 15_000)).toEqual(new Map([['a', 2]]))
    })

    it("writes an answer that comes without the lease and leaves the holder's lease alone", async () => {
      const { store } = await setup({ a: 0 })
      await leased(store, 'one')
      const answer = sampleChange(samplePrediction({ id: 'a', status: 'processing' }), { version: 1 })
      expect(await commitOne(store, answer)).toBe('committed')
      expect(await leasedOne(store, 'a', 'two')).toBe(null)
      expect(await store.renew('one', 15_000)).toEqual(new Map([['a', 2]]))
    })

    it('frees the record with a write that releases', async () => {
      const { store } = await setup({ a: 0 })
      await leased(store, 'one')
      await store.commit([
        sampleChange(samplePrediction({ id: 'a' }), { version: 1, lease: { engine: 'one', leaseMs: null } }),
      ])
      expect(await store.renew('one', 15_000)).toEqual(new Map())
      expect(await leasedOne(store, 'a', 'two')).toBe('a')
    })

    it("is a conflict to free another engine's lease, until that lapses; what nobody holds stays free", async () => {
      const { store, advance } = await setup({ a: 0 })
      await leased(store, 'one')
      const freeing = sampleChange(samplePrediction({ id: 'a' }), {
        version: 1,
        lease: { engine: 'two', leaseMs: null },
      })
      expect(await commitOne(store, freeing)).toBe('conflict')
      expect(await store.renew('one', 15_000)).toEqual(new Map([['a', 1]]))
      await advance(15_000)
      expect(await commitOne(store, freeing)).toBe('committed')
      expect(await commitOne(store, { ...freeing, version: 2 })).toBe('committed')
      expect(await leasedOne(store, 'a', 'three')).toBe('a')
    })
  })
}
