import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { weekdays } from './schedule.ts'
import { estimateWarmUp, estimateWindow, type WarmPrices } from './warm-cost.ts'

const known: WarmPrices = {
  pricePerSecond: 0.001,
  bills: ['boot', 'idle'],
  idleMs: 300_000,
  idleBy: 'target',
  wokenBy: 'run',
  keptBy: 'run',
  bootMs: 20_000,
  runMs: 5_000,
}
const tenHours = { fromMinute: 8 * 60, toMinute: 18 * 60, days: weekdays }
const minute = 60_000

describe('one warm-up', () => {
  test('bills the start, the run and the time that the worker then idles', () => {
    expect(estimateWarmUp(known)).toEqual({ amount: 0.325, seconds: 325, assumptions: [] })
  })

  test('bills the run alone where the vendor bills no more', () => {
    expect(estimateWarmUp({ ...known, bills: [] })).toEqual({ amount: 0.005, seconds: 5, assumptions: [] })
  })

  test('bills no run where a call is enough', () => {
    expect(estimateWarmUp({ ...known, wokenBy: 'call' }).seconds).toBe(320)
  })

  test('names what it takes on trust', () => {
    const unknown = { ...known, bootMs: null, runMs: null, idleMs: null }
    expect(estimateWarmUp(unknown)).toEqual({
      amount: 0.1,
      seconds: 100,
      assumptions: [
        'A cold start is taken to be 30 s: not measured yet.',
        'A run is taken to be 10 s: not measured yet.',
        'A worker is taken to idle for 60 s: not known here.',
      ],
    })
    const [vendors] = estimateWarmUp({ ...known, idleBy: 'vendor' }).assumptions
    expect(vendors).toBe("A worker idles for 300 s: the vendor's default; idleSeconds in the target says otherwise.")
  })

  test('costs nobody knows what without a price', () => {
    expect(estimateWarmUp({ ...known, pricePerSecond: null }).amount).toBeNull()
  })
})

describe('a window', () => {
  test('is one worker throughout where it outlives the wait between two warm-ups', () => {
    const { seconds, times, stays } = estimateWindow(tenHours, 4 * minute, known)
    expect({ seconds, times, stays }).toEqual({ seconds: 20 + 36_000 + 300, times: 150, stays: true })
  })

  test('is as many warm-ups where it does not, never more than one worker throughout', () => {
    const apart = estimateWindow(tenHours, 10 * minute, known)
    expect(apart).toMatchObject({ seconds: 60 * 325, times: 60, stays: false })
    const close = estimateWindow(tenHours, 5.1 * minute, { ...known, runMs: 60_000 })
    expect(close.seconds).toBe(36_320)
  })

  test('is the runs alone where idle workers cost nothing', () => {
    expect(estimateWindow(tenHours, 4 * minute, { ...known, bills: [] }).seconds).toBe(150 * 5)
  })

  test('says that it is for a day on which nobody else comes', () => {
    expect(estimateWindow(tenHours, minute, known).assumptions).toEqual([
      'Nobody else uses the deployment; each use puts the next warm-up off.',
    ])
  })

  test('never costs less than one warm-up, and never more with longer waits', () => {
    const waits = fc.tuple(fc.integer({ min: 30, max: 7_200 }), fc.integer({ min: 30, max: 7_200 }))
    fc.assert(
      fc.property(waits, fc.boolean(), ([one, other], idle) => {
        const prices: WarmPrices = { ...known, bills: idle ? ['boot', 'idle'] : ['boot'] }
        const [short, long] = [Math.min(one, other), Math.max(one, other)].map(
          seconds => estimateWindow(tenHours, seconds * 1000, prices).seconds,
        )
        expect(short).toBeGreaterThanOrEqual(long ?? Number.NaN)
        expect(long).toBeGreaterThanOrEqual(estimateWarmUp(prices).seconds)
      }),
    )
  })
})
