import { expect, test } from 'vitest'
import { analyse, type ReliefImage } from './analysis.ts'
import { focusCue, hazeCue } from './cues.ts'
import { carryUpright, groundDisparity } from './ground.ts'
import { findHorizon } from './horizon.ts'
import { createPlane, fillPlane } from './plane.ts'
import { findSaliency } from './saliency.ts'
import { findSky } from './sky.ts'

const [width, height] = [120, 100]

type Colour = readonly [number, number, number]

function paint(colour: (x: number, y: number) => Colour): ReliefImage {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set(colour(x, y), 3 * (y * width + x))
  return { width, height, data }
}

/** A texture without pattern, the same in each run. */
function grain(x: number, y: number): number {
  return ((x * 7919 + y * 104_729 + x * y * 31) % 61) - 30
}

const grass = (x: number, y: number): Colour => [80 + grain(x, y), 110 + grain(x, y), 50]

test('a blue top is sky and its lower edge the horizon', () => {
  const analysis = analyse(paint((x, y) => (y < 40 ? [90, 140, 220] : grass(x, y))))
  const sky = findSky(analysis)
  expect(sky?.[5 * width + 60]).toBe(1)
  expect(sky?.[60 * width + 60]).toBe(0)
  expect(Math.abs(findHorizon(analysis, sky) - 40)).toBeLessThanOrEqual(2)
})

test.each([
  ['grass to the top', grass],
  ['a wooden wall', () => [170, 120, 70] as const],
  ['a photo of nothing but sky', () => [90, 140, 220] as const],
  ['a strip of sky', (x: number, y: number): Colour => (y < 2 ? [90, 140, 220] : grass(x, y))],
])('%s is not taken for sky', (_, colour) => {
  expect(findSky(analyse(paint(colour)))).toBeNull()
})

test('without a sky the horizon is where the texture changes', () => {
  const analysis = analyse(paint((x, y) => (y < 50 ? [128, 110, 90] : grass(x, y))))
  expect(Math.abs(findHorizon(analysis, null) - 50)).toBeLessThanOrEqual(2)
})

test('the ground comes nearer towards the bottom and is linear below the horizon', () => {
  const rows = Array.from({ length: 101 }, (_, y) => groundDisparity(y, 40, 101))
  expect(rows).toEqual(rows.toSorted((a, b) => a - b))
  expect([rows[0], rows[40], rows[70], rows[100]]).toEqual([0.06, 0.12, 0.56, 1])
})

test('a red thing on grass stands out as a whole, with the pattern on it', () => {
  const inside = (x: number, y: number) => x >= 45 && x < 75 && y >= 35 && y < 85
  const dot = (x: number, y: number) => Math.hypot(x - 60, y - 60) < 3
  const saliency = findSaliency(analyse(paint((x, y) => (inside(x, y) && !dot(x, y) ? [210, 40, 40] : grass(x, y)))))
  for (const [x, y] of [
    [60, 60],
    [50, 45],
    [70, 80],
  ] as const)
    expect(saliency.data[y * width + x]).toBeGreaterThan(0.9)
  for (const [x, y] of [
    [5, 50],
    [110, 50],
    [60, 5],
  ] as const)
    expect(saliency.data[y * width + x]).toBeLessThan(0.1)
})

test('an upright thing keeps the disparity of its foot', () => {
  const analysis = analyse(paint(grass))
  const saliency = fillPlane(analysis.luma, index => (index % width >= 50 && index % width < 70 ? 1 : 0))
  const upright = carryUpright(analysis, saliency, 40)
  const at = (x: number, y: number) => upright.data[y * width + x] ?? NaN
  expect(at(60, 20)).toBeGreaterThan(0.8)
  expect(at(10, 20)).toBeLessThan(0.2)
})

test('haze counts where it grows towards the top, and not on a white wall', () => {
  const hazy = analyse(paint((x, y) => [200 - y + grain(x, y) / 3, 200 - y, 210 - y]))
  expect(hazeCue(hazy, null).weight).toBeGreaterThan(0.1)
  expect(hazeCue(hazy, null).near.data[95 * width + 60]).toBeGreaterThan(hazeCue(hazy, null).near.data[5 * width] ?? 1)
  expect(hazeCue(analyse(paint(() => [240, 240, 240])), null).weight).toBe(0)
})

test('sharpness counts where it varies and agrees with the other cues', () => {
  const stripes = (x: number, period: number) => 128 + 100 * Math.sin((2 * Math.PI * x) / period)
  const blurredTop = analyse(
    paint((x, y) => {
      const value = stripes(x, y < 50 ? 16 : 4)
      return [value, value, value]
    }),
  )
  const nearBottom = fillPlane(createPlane(width, height), index => (index >= 50 * width ? 1 : 0))
  const nearTop = fillPlane(nearBottom, index => 1 - (nearBottom.data[index] ?? 0))
  expect(focusCue(blurredTop, nearBottom).weight).toBeGreaterThan(0.2)
  expect(focusCue(blurredTop, nearTop).weight).toBe(0)
  expect(focusCue(analyse(paint(grass)), nearBottom).weight).toBe(0)
})
