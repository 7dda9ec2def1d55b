import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { costOfImage, renderComparison, target } from './comparison.ts'
import { type Vendor, vendors } from './vendors.ts'

const vendor = {
  ...(vendors[0] as Vendor),
  extra: 0.001,
  idle: { seconds: 10, from: 'here' },
  granularity: 60,
} satisfies Vendor

test('the committed page is what the generator makes of the price tables; else run: npm run script -- scripts/comparison.ts', () => {
  expect(readFileSync(target, 'utf8')).toBe(renderComparison())
})

test('a busy worker costs its run, a single image also its cold start and its idling, rounded as it is billed', () => {
  // SHARP: a run of 5 s after a cold start of 60 s.
  const { busy, single } = costOfImage(vendor, 0.001)
  expect([busy, single]).toEqual([expect.closeTo(0.01, 12), expect.closeTo(0.24, 12)])
  const slow = costOfImage({ ...vendor, machineStart: { seconds: 50, from: 'here' } }, 0.001)
  expect(slow.single).toBeCloseTo(0.36, 12)
})

test('every vendor of the question is there, with a dated source for its prices, and all numbers are numbers', () => {
  expect(vendors.map(({ name }) => name)).toEqual(['Modal', 'Replicate', 'RunPod', 'Koyeb', 'AWS', 'Baseten'])
  for (const { pricesAsOf, pricesFrom } of vendors) {
    expect(pricesAsOf).toMatch(/^20\d\d-\d\d(-\d\d)?$/)
    expect(pricesFrom.length).toBeGreaterThan(10)
  }
  expect(renderComparison()).not.toMatch(/NaN|undefined|Infinity/)
})
