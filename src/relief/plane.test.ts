import fc from 'fast-check'
import { expect, test } from 'vitest'
import { boxMean, correlation, fillPlane, maximum, minimum, type Plane, quantiles, resize, stretch } from './plane.ts'

const planes: fc.Arbitrary<Plane> = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
  .chain(([width, height]) =>
    fc
      .array(fc.integer({ min: -8, max: 8 }), { minLength: width * height, maxLength: width * height })
      .map(values => ({ width, height, data: Float32Array.from(values) })),
  )

/** The values within a square around a pixel, the slow and obvious way. */
function around({ width, height, data }: Plane, index: number, radius: number): number[] {
  const x = index % width
  const y = Math.floor(index / width)
  return [...data].filter((_, other) => {
    const [dx, dy] = [(other % width) - x, Math.floor(other / width) - y]
    return Math.max(Math.abs(dx), Math.abs(dy)) <= radius && y + dy < height
  })
}

const radii = fc.integer({ min: 0, max: 12 })

test('the fast box mean is the mean of the box', () => {
  fc.assert(
    fc.property(planes, radii, (plane, radius) => {
      const mean = boxMean(plane, radius)
      for (let index = 0; index < plane.data.length; index++) {
        const values = around(plane, index, radius)
        expect(mean.data[index]).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 4)
      }
    }),
  )
})

test('the fast extremes are those of the box', () => {
  fc.assert(
    fc.property(planes, radii, (plane, radius) => {
      const high = maximum(plane, radius)
      const low = minimum(plane, radius)
      for (let index = 0; index < plane.data.length; index++) {
        const values = around(plane, index, radius)
        expect(high.data[index]).toBe(Math.max(...values))
        expect((low.data[index] ?? NaN) + 0).toBe(Math.min(...values) + 0)
      }
    }),
  )
})

test('resizing keeps a plane of its own size, and a linear slope away from the border', () => {
  fc.assert(
    fc.property(planes, plane => {
      expect(resize(plane, plane.width, plane.height)).toEqual(plane)
    }),
  )
  const slope = { width: 4, height: 1, data: Float32Array.of(0, 2, 4, 6) }
  expect([...resize(slope, 8, 1).data]).toEqual([0, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6])
})

test('quantiles lie where sorting puts them, to 1/4096 of the range', () => {
  fc.assert(
    fc.property(planes, fc.double({ min: 0, max: 1, noNaN: true }), ({ data }, share) => {
      const sorted = [...data].sort((a, b) => a - b)
      const [actual = NaN] = quantiles(data, [share])
      const expected = sorted[Math.floor(share * (sorted.length - 1))] ?? NaN
      expect(Math.abs(actual - expected)).toBeLessThanOrEqual(16 / 4_096 + 1e-6)
    }),
  )
})

test('stretching fills 0 to 1, and says when there is nothing to stretch', () => {
  const plane = { width: 5, height: 1, data: Float32Array.of(2, 3, 4, 5, 6) }
  expect([...(stretch(plane, 0, 1)?.data ?? [])]).toEqual([0, 0.25, 0.5, 0.75, 1])
  expect(stretch({ width: 2, height: 1, data: Float32Array.of(3, 3) }, 0, 1)).toBeNull()
})

test('correlation is 1 with itself, -1 with its negative, 0 with a constant', () => {
  const plane = { width: 4, height: 1, data: Float32Array.of(1, 5, 2, 8) }
  const negative = fillPlane(plane, index => -(plane.data[index] ?? 0))
  expect(correlation(plane, plane, () => true)).toBeCloseTo(1, 10)
  expect(correlation(plane, negative, () => true)).toBeCloseTo(-1, 10)
  expect(
    correlation(
      plane,
      fillPlane(plane, () => 0.1),
      () => true,
    ),
  ).toBe(0)
  expect(correlation(plane, plane, () => false)).toBe(0)
})
