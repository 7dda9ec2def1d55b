import { describe, expect, it } from 'vitest'
import type { PredictionRecord } from '../core/prediction.ts'
import { noLimits, type Token } from '../core/token.ts'
import type { Quota } from '../store/contract.ts'
import { commitOne, type OpenedStore, openForTest } from './opened-store.ts'
import { sampleAttempt, sampleChange, samplePrediction } from './sample-records.ts'

/** The part of the store's contract that tokens and the quotas of their owners rest on. */
export function describeStoreTokens(name: string, open: () => Promise<OpenedStore>): void {
  const setup = () => openForTest(open)

  describe(`${name}: tokens`, () => {
    it('keeps a token whole, and lists the newest first', async () => {
      const { store } = await setup()
      const limited = token({
        id: 'limited',
        scopes: ['read', 'admin'],
        limits: { requestsPerMinute: 60, concurrency: 4, budgetPerDay: 0.25, fileBytes: 5e6, storedBytes: 2 ** 40 },
        createdAt: 2_000,
        expiresAt: 9_000,
      })
      expect(await store.hasTokens()).toBe(false)
      await store.addToken(token({ id: 'first' }))
      await store.addToken(limited)
      expect(await store.findToken('limited')).toEqual(limited)
      expect(await store.listTokens()).toEqual([limited, token({ id: 'first' })])
      expect(await store.findToken('other')).toBe(null)
      expect(await store.hasTokens()).toBe(true)
    })

    it('revokes a token once, for good', async () => {
      const { store } = await setup()
      await store.addToken(token({ id: 'a' }))
      expect(await store.revokeToken('nobody', 5_000)).toBe(false)
      expect(await store.revokeToken('a', 5_000)).toBe(true)
      expect(await store.revokeToken('a', 6_000)).toBe(false)
      expect(await store.findToken('a')).toMatchObject({ revokedAt: 5_000 })
      expect(await store.hasTokens()).toBe(false)
    })

    it('remembers when one was used last', async () => {
      const { store } = await setup()
      await store.addToken(token({ id: 'a' }))
      await store.noteTokenUse('a', 7_000)
      await store.noteTokenUse('nobody', 7_000)
      expect(await store.findToken('a')).toMatchObject({ lastUsedAt: 7_000 })
    })
  })

  describe(`${name}: quotas`, () => {
    const created = (id: string, quota: Quota, over: Partial<PredictionRecord> = {}) =>
      sampleChange(samplePrediction({ id, owner: 'ann', ...over }), { quota })

    it('never lets an owner have more live predictions, however many are created at once', async () => {
      const { store } = await setup()
      const quota = { live: 2, budget: null }
      const outcomes = await Promise.all(
        Array.from({ length: 9 }, (_, index) => commitOne(store, created(`p${index}`, quota))),
      )
      expect(outcomes.toSorted()).toEqual([...Array(2).fill('committed'), ...Array(7).fill('too_many')])
      expect(await commitOne(store, created('q', quota, { owner: 'bob' }))).toBe('committed')
      expect(await store.usedBy('ann', 0)).toEqual({ live: 2, charged: 0 })
    })

    it('counts a prediction until it has ended, settled or not', async () => {
      const { store } = await setup()
      const quota = { live: 1, budget: null }
      const record = samplePrediction({ id: 'a', owner: 'ann' })
      await store.commit([sampleChange(record)])
      expect(await commitOne(store, created('b', quota))).toBe('too_many')
      await store.commit([sampleChange({ ...record, status: 'processing' }, { version: 1 })])
      expect(await commitOne(store, created('b', quota))).toBe('too_many')
      await store.commit([sampleChange({ ...record, status: 'canceled' }, { version: 2 })])
      expect(await commitOne(store, created('b', quota))).toBe('committed')
    })

    it("never lets an owner's day cost more than its budget, however many are created at once", async () => {
      const { store } = await setup()
      const quota = { live: null, budget: { since: 500, limit: 1 } }
      const outcomes = await Promise.all(
        Array.from({ length: 9 }, (_, index) => commitOne(store, created(`p${index}`, quota, { allowance: 0.4 }))),
      )
      expect(outcomes.toSorted()).toEqual([...Array(2).fill('committed'), ...Array(7).fill('too_dear')])
      expect(await store.usedBy('ann', 500)).toEqual({ live: 2, charged: 0.8 })
      expect(await store.usedBy('ann', 1_001)).toEqual({ live: 2, charged: 0 })
      expect(await commitOne(store, created('free', quota, { allowance: 0.2 }))).toBe('committed')
      expect(await commitOne(store, created('bob', quota, { owner: 'bob', allowance: 1 }))).toBe('committed')
    })

    it('charges what a prediction may cost while it runs, then what its attempts cost', async () => {
      const { store } = await setup()
      const cost = { amount: 0.25, currency: 'USD', estimated: false } as const
      const attempt = sampleAttempt({ id: 'a1', reserved: 0.5 })
      const record = samplePrediction({ id: 'a', owner: 'ann', allowance: 2, attempts: [attempt] })
      const charged = async () => (await store.usedBy('ann', 0)).charged
      await store.commit([sampleChange(record)])
      expect(await charged()).toBe(2)
      await store.commit([sampleChange({ ...record, status: 'failed' }, { version: 1 })])
      expect(await charged()).toBe(0.5)
      const over = { ...attempt, state: 'won', release: 'confirmed', cost } as const
      await store.commit([sampleChange({ ...record, status: 'succeeded', attempts: [over] }, { version: 2 })])
      expect(await charged()).toBe(0.25)
    })

    it('answers conflict, and not that it is too much, to an insert whose id exists', async () => {
      const { store } = await setup()
      const quota = { live: 1, budget: null }
      expect(await commitOne(store, created('a', quota))).toBe('committed')
      expect(await commitOne(store, created('a', quota))).toBe('conflict')
    })
  })
}

function token(over: Partial<Token> & { readonly id: string }): Token {
  return {
    name: 'Ann',
    digest: 'a'.repeat(64),
    scopes: ['predict'],
    limits: noLimits,
    createdAt: 1_000,
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
    ...over,
  }
}
