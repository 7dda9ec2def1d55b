import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ColourPlanes, createPlane, fillPlane, type Plane } from './plane.ts'
import { limitSlopes } from './slopes.ts'

const [width, height] = [40, 10]
const limits = { isWall: () => false, isWhole: () => false, flat: 0.04, perContrast: 5, texture: 0.02 }

function plane(value: (x: number, y: number) => number): Plane {
  return fillPlane(createPlane(width, height), index => value(index % width, Math.floor(index / width)))
}

const even: ColourPlanes = [plane(() => 0.5), plane(() => 0), plane(() => 0)]
const edge: ColourPlanes = [plane(x => (x < 20 ? 0.2 : 0.6)), plane(() => 0), plane(() => 0)]
const step = plane(x => (x < 20 ? 0.2 : 0.9))

function steepest({ data }: Plane): number {
  return Math.max(...Array.from({ length: width - 1 }, (_, x) => Math.abs((data[x + 1] ?? NaN) - (data[x] ?? NaN))))
}

test('a step without an edge in the photo becomes a slope around the same middle, on both sides of it half as steep as allowed', () => {
  const slope = limitSlopes(step, even, limits)
  expect(steepest(slope)).toBeCloseTo(limits.flat, 5)
  for (const x of [10, 16, 23, 29])
    expect((slope.data[x] ?? NaN) - (slope.data[x - 1] ?? NaN)).toBeCloseTo(limits.flat / 2, 5)
  expect(((slope.data[19] ?? NaN) + (slope.data[20] ?? NaN)) / 2).toBeCloseTo(0.55, 2)
  expect([slope.data[0], slope.data[width - 1]]).toEqual([expect.closeTo(0.2, 1), expect.closeTo(0.9, 1)])
})

test('a step at an edge of the photo stays', () => {
  expect(limitSlopes(step, edge, limits)).toEqual(step)
})

test('in what hangs together, edges count for nothing', () => {
  expect(limitSlopes(step, edge, { ...limits, isWhole: () => true })).toEqual(limitSlopes(step, even, limits))
})

test('nothing passes a wall', () => {
  const isWall = (index: number) => index % width === 20
  expect(limitSlopes(step, even, { ...limits, isWall })).toEqual(step)
})

test('what keeps the limits stays, and everything keeps them afterwards', () => {
  const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 40, maxLength: 40 })
  fc.assert(
    fc.property(values, row => {
      const limited = limitSlopes(
        plane(x => row[x] ?? 0),
        even,
        limits,
      )
      expect(steepest(limited)).toBeLessThanOrEqual(limits.flat + 1e-6)
      const gentle = plane(x => (row[0] ?? 0) + 0.03 * x)
      expect(limitSlopes(gentle, even, limits)).toEqual(gentle)
    }),
  )
})
