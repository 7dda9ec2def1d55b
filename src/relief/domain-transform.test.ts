import fc from 'fast-check'
import { expect, test } from 'vitest'
import { spreadTrusted } from './domain-transform.ts'
import { type ColourPlanes, createPlane, fillPlane, type Plane } from './plane.ts'

const [width, height] = [40, 30]
const options = { distance: 6, contrast: 0.5 }

function plane(value: (x: number, y: number) => number): Plane {
  return fillPlane(createPlane(width, height), index => value(index % width, Math.floor(index / width)))
}

function photo(luma: (x: number, y: number) => number): ColourPlanes {
  return [plane(luma), plane(() => 0), plane(() => 0)]
}

test('a step that nobody trusts moves to the edge of the photo', () => {
  const guide = photo(x => (x < 20 ? 0.2 : 0.8))
  // The estimate is four pixels off, and knows it.
  const values = plane(x => (x < 16 ? 0.1 : 0.9))
  const trust = plane(x => (x >= 12 && x < 24 ? 1e-3 : 1))
  const spread = spreadTrusted(guide, values, trust, options)
  const row = spread.data.subarray(15 * width, 16 * width)
  for (let x = 0; x < width; x++) expect(Math.abs((row[x] ?? NaN) - (x < 20 ? 0.1 : 0.9))).toBeLessThan(0.15)
})

test('a texture of the photo leaves no trace in what is even', () => {
  const guide = photo((x, y) => 0.5 + 0.4 * Math.sin(x * 1.3 + y))
  const values = plane(() => 0.4)
  for (const value of spreadTrusted(
    guide,
    values,
    plane(() => 1),
    options,
  ).data)
    expect(value).toBeCloseTo(0.4, 5)
})

test('a flat photo lets values through in all directions alike', () => {
  const values = plane((x, y) => (x === 20 && y === 15 ? 1 : 0))
  const { data } = spreadTrusted(
    photo(() => 0.5),
    values,
    plane(() => 1),
    options,
  )
  const at = (x: number, y: number) => data[y * width + x] ?? NaN
  expect(at(20, 15)).toBeLessThan(0.05)
  expect(at(25, 15) / at(20, 20)).toBeCloseTo(1, 1)
  expect(at(15, 15) / at(25, 15)).toBeCloseTo(1, 1)
})

test('no value leaves the range of the trusted ones, whatever the others are', () => {
  const cell = fc.record({ luma: fc.double({ min: 0, max: 1, noNaN: true }), trusted: fc.boolean() })
  fc.assert(
    fc.property(fc.array(cell, { minLength: 12, maxLength: 12 }), cells => {
      fc.pre(cells.some(({ trusted }) => trusted))
      const small = (value: (index: number) => number) => fillPlane(createPlane(4, 3), value)
      const guide = [small(index => cells[index]?.luma ?? 0), small(() => 0), small(() => 0)] as const
      const values = small(index => (cells[index]?.trusted ? index / 12 : 1e3))
      const spread = spreadTrusted(
        guide,
        values,
        small(index => (cells[index]?.trusted ? 1 : 0)),
        options,
      )
      for (const value of spread.data) {
        expect(value).toBeGreaterThanOrEqual(-1e-4)
        expect(value).toBeLessThanOrEqual(1)
      }
    }),
  )
})
