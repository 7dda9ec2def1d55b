import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noLimits } from '../core/token.ts'
import { plainScript } from '../testing/scripted-provider.ts'
import { grant } from './quotas.ts'
import { request, setup } from './test-support.ts'

const endless = { ...plainScript, endAt: Number.POSITIVE_INFINITY }
/** 0.001 USD a second for 100 seconds: an attempt costs 0.10 USD at worst, three of them 0.30. */
const policy = { runMs: 100_000, attempts: 3 }

const budgeted = (budgetPerDay: number, owner = 'ann') => request({ owner, limits: { ...noLimits, budgetPerDay } })

describe('live predictions of an owner', () => {
  it('are no more than its limit, however many are asked for at once, and others have their own', async () => {
    const stage = await setup({ script: () => endless })
    const { engine } = await stage.boot()
    const limited = request({ owner: 'ann', limits: { ...noLimits, concurrency: 2 } })
    const asked = await Promise.allSettled(Array.from({ length: 6 }, () => engine.create(limited)))
    const refused = asked.flatMap(outcome => (outcome.status === 'rejected' ? outcome.reason : []))
    expect(refused).toHaveLength(4)
    for (const error of refused)
      expect(error).toMatchObject({
        status: 429,
        failure: { code: 'rate_limited', fault: 'user', retryAfterMs: 5_000 },
      })
    expect(await engine.list({ owner: 'ann', limit: 9 })).toHaveLength(2)
    await engine.create(request({ owner: 'bob', limits: { ...noLimits, concurrency: 1 } }))
  })

  it('make room as they end', async () => {
    const stage = await setup({ script: () => endless })
    const { engine } = await stage.boot()
    const limited = request({ owner: 'ann', limits: { ...noLimits, concurrency: 1 } })
    const { record } = await engine.create(limited)
    await expect(engine.create(limited)).rejects.toMatchObject({ status: 429 })
    await engine.cancel(record.id)
    await stage.clock.advance(60_000)
    await engine.create(limited)
  })
})

describe('the budget of an owner', () => {
  it('sets aside what all attempts may cost, or what is left, and refuses where no attempt is covered', async () => {
    const stage = await setup({ script: () => endless, policy })
    const { engine } = await stage.boot()
    const allowances: (number | undefined)[] = []
    for (let count = 0; count < 2; count++) allowances.push((await engine.create(budgeted(0.45))).record.allowance)
    expect(allowances).toEqual([expect.closeTo(0.3, 9), expect.closeTo(0.15, 9)])
    // What is set aside comes back, so it is worth trying again.
    await expect(engine.create(budgeted(0.45))).rejects.toMatchObject({
      status: 429,
      failure: { code: 'budget_exceeded', message: expect.stringContaining(' 0 USD left'), retryAfterMs: 5_000 },
    })
    for (const { record } of await engine.list({ owner: 'ann', limit: 9 })) await engine.cancel(record.id)
    await stage.clock.advance(60_000)
    await expect(engine.create(budgeted(0.01))).rejects.toMatchObject({ status: 402 })
    await engine.create(budgeted(0.1, 'bob'))
    await engine.create(request())
  })

  it('leaves its part to each further prediction that the owner may have at a time', async () => {
    const stage = await setup({ script: () => endless, policy })
    const { engine } = await stage.boot()
    const limited = (budgetPerDay: number) =>
      request({ owner: 'ann', limits: { ...noLimits, concurrency: 3, budgetPerDay } })
    const allowances: (number | undefined)[] = []
    for (const budget of [0.45, 0.45, 0.45]) allowances.push((await engine.create(limited(budget))).record.allowance)
    expect(allowances).toEqual([expect.closeTo(0.15, 9), expect.closeTo(0.15, 9), expect.closeTo(0.15, 9)])
  })

  it('has room for as many as may run at a time, whatever fractions its parts are', async () => {
    const cases = fc.record({
      concurrency: fc.integer({ min: 1, max: 40 }),
      price: fc.double({ min: 1e-5, max: 0.01, noNaN: true }),
      spare: fc.double({ min: 1, max: 4, noNaN: true }),
    })
    const property = fc.asyncProperty(cases, async ({ concurrency, price, spare }) => {
      const least = (price * policy.runMs) / 1000
      const budgetPerDay = least * concurrency * spare
      const route = {
        deployments: [{ provider: { pricePerSecond: () => price }, target: {} }],
        policy: { ...policy, budget: null },
      }
      let charged = 0
      for (let live = 0; live < concurrency; live++) {
        const limits = { ...noLimits, concurrency, budgetPerDay }
        const used = { live, charged }
        const { allowance = 0, quota } = await grant({ usedBy: async () => used }, route, 'ann', limits, 0)
        expect(allowance).toBeGreaterThanOrEqual(least)
        charged += allowance
        expect(charged).toBeLessThanOrEqual(quota?.budget?.limit ?? 0)
      }
      expect(charged).toBeLessThanOrEqual(budgetPerDay + 1e-9)
    })
    await fc.assert(property)
  })

  it('is never overshot by predictions that are created at once', async () => {
    const stage = await setup({ script: () => endless, policy })
    const { engine } = await stage.boot()
    const other = await stage.boot()
    const asked = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => (index % 2 ? engine : other.engine).create(budgeted(0.75))),
    )
    const granted = asked.flatMap(outcome =>
      outcome.status === 'fulfilled' ? (outcome.value.record.allowance ?? 0) : [],
    )
    expect(granted.length).toBeGreaterThanOrEqual(2)
    expect(granted.reduce((sum, amount) => sum + amount, 0)).toBeLessThanOrEqual(0.75 + 1e-9)
    for (const outcome of asked)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ failure: { code: 'budget_exceeded' } })
  })

  it('counts what predictions cost once they have ended', async () => {
    const stage = await setup({ policy })
    const { engine } = await stage.boot()
    await engine.create(budgeted(0.35))
    await stage.clock.advance(120_000)
    const spent = (await stage.sqlite.usedBy('ann', 0)).charged
    expect(spent).toBeGreaterThan(0)
    expect(spent).toBeLessThan(0.1)
    const again = await engine.create(budgeted(0.35))
    expect(again.record.allowance).toBeCloseTo(Math.min(0.3, 0.35 - spent), 9)
  })

  it('ends a prediction whose next attempt it does not cover, clearly', async () => {
    const broken = { ...plainScript, end: 'failed' as const }
    const stage = await setup({ script: () => broken, policy })
    const { engine } = await stage.boot()
    const { record } = await engine.create(budgeted(0.1))
    await stage.clock.advance(300_000)
    const ended = await stage.read(record.id)
    expect(ended).toMatchObject({ status: 'failed', failure: { code: 'budget_exceeded' } })
    expect(ended.attempts).toHaveLength(1)
  })

  it('covers nothing whose price nobody knows', async () => {
    const stage = await setup({ dress: provider => ({ ...provider, pricePerSecond: () => null }) })
    const { engine } = await stage.boot()
    await expect(engine.create(budgeted(5))).rejects.toMatchObject({ status: 402 })
  })
})

describe('get with an owner', () => {
  it('shows predictions of others as if they were not there', async () => {
    const stage = await setup({ script: () => endless })
    const { engine } = await stage.boot()
    const { record } = await engine.create(request({ owner: 'ann' }))
    expect(await engine.get(record.id, 'bob')).toBe(null)
    expect(await engine.get(record.id, 'ann')).toMatchObject({ record: { id: record.id } })
  })
})
