import { expect, test } from 'vitest'
import { sharpenEdges } from './edges.ts'
import { createPlane, fillPlane, type Plane } from './plane.ts'

const [width, height] = [60, 24]
const reach = 40

function plane(value: (x: number) => number): Plane {
  return fillPlane(createPlane(width, height), index => value(index % width))
}

/** Grey from column to column. */
function paint(grey: (x: number) => number): Float32Array {
  return Float32Array.from({ length: 3 * width * height }, (_, at) => grey(Math.floor(at / 3) % width))
}

function middleRow({ data }: Plane): number[] {
  return [...data.subarray(12 * width, 13 * width)].map(value => Math.round(value * 100) / 100)
}

const isFront = (x: number) => x >= 20 && x < 40
const photo = paint(x => (isFront(x) ? 200 : 50))
const clean = Array.from({ length: width }, (_, x) => (isFront(x) ? 0.9 : 0.1))

test('a blurred edge becomes a step where the photo has its outline', () => {
  const blurred = plane(x => 0.1 + 0.8 * Math.min(1, Math.max(0, Math.min((x - 17) / 5, (42 - x) / 5))))
  expect(middleRow(sharpenEdges(blurred, photo, reach))).toEqual(clean)
})

test('a step beside the outline moves onto it, in and out', () => {
  for (const offset of [-2, 2]) {
    const beside = plane(x => (isFront(x - offset) ? 0.9 : 0.1))
    expect(middleRow(sharpenEdges(beside, photo, reach))).toEqual(clean)
  }
})

test('cells that mix both colours go with the front when a good part of them is of it', () => {
  const mixed = paint(x => (isFront(x) ? 200 : x === 19 ? 125 : x === 40 ? 80 : 50))
  const row = middleRow(
    sharpenEdges(
      plane(x => (isFront(x) ? 0.9 : 0.1)),
      mixed,
      reach,
    ),
  )
  expect(row.slice(18, 21)).toEqual([0.1, 0.9, 0.9])
  expect(row.slice(39, 42)).toEqual([0.9, 0.1, 0.1])
})

test('a gap in a lattice that was closed stays closed', () => {
  const gap = paint(x => (x === 26 || x === 33 ? 200 : x >= 27 && x < 33 ? 50 : isFront(x) ? 200 : 50))
  expect(
    middleRow(
      sharpenEdges(
        plane(x => (isFront(x) ? 0.9 : 0.1)),
        gap,
        reach,
      ),
    ),
  ).toEqual(clean)
})

test('where the colours tell nothing a slope is parted in its middle, and gentle slopes stay', () => {
  const row = middleRow(
    sharpenEdges(
      plane(x => 0.1 + 0.8 * Math.min(1, Math.max(0, (x - 27) / 6))),
      paint(() => 90),
      reach,
    ),
  )
  expect(new Set(row)).toEqual(new Set([0.1, 0.9]))
  expect(row.indexOf(0.9)).toBe(30)
  const gentle = plane(x => 0.1 + x / 80)
  expect(middleRow(sharpenEdges(gentle, photo, reach))).toEqual(middleRow(gentle))
})
