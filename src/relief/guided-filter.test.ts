import { expect, test } from 'vitest'
import { applyModels, type ColourPlanes, createGuide } from './guided-filter.ts'
import { createPlane, fillPlane, type Plane, resize } from './plane.ts'

const [width, height] = [40, 30]

function plane(value: (x: number, y: number) => number): Plane {
  return fillPlane(createPlane(width, height), index => value(index % width, Math.floor(index / width)))
}

/** Three textures that are not multiples of each other. */
const guide: ColourPlanes = [
  plane((x, y) => 0.5 + 0.4 * Math.sin(x * 1.3 + y)),
  plane((x, y) => 0.3 * Math.cos(x * 0.7 - y * 1.1)),
  plane((x, y) => 0.3 * Math.sin(y * 1.7 + x * 0.2)),
]

function largestDifference(a: Plane, b: Plane): number {
  return a.data.reduce((most, value, index) => Math.max(most, Math.abs(value - (b.data[index] ?? NaN))), 0)
}

test('what is linear in colour comes out as it went in', () => {
  const [first, second, third] = guide.map(channel => channel.data)
  const input = plane(() => 0)
  for (let index = 0; index < input.data.length; index++)
    input.data[index] = 0.2 + (first?.[index] ?? 0) - 0.5 * (second?.[index] ?? 0) + 2 * (third?.[index] ?? 0)
  expect(largestDifference(applyModels(createGuide(guide, 5, 1e-8)(input), guide), input)).toBeLessThan(1e-3)
})

test('a blurred step moves to the edge of the photo, a texture leaves no trace', () => {
  const photo: ColourPlanes = [plane(x => (x < 20 ? 0.2 : 0.8)), plane(() => 0), plane(() => 0)]
  const blurred = plane(x => Math.min(1, Math.max(0, (x - 15) / 9)))
  const sharp = applyModels(createGuide(photo, 6, 1e-4)(blurred), photo)
  const at = (x: number) => sharp.data[15 * width + x] ?? NaN
  // The input rises by 1/9 from pixel to pixel.
  expect(at(20) - at(19)).toBeGreaterThan(0.4)
  const flat = plane(() => 0.4)
  expect(largestDifference(applyModels(createGuide(guide, 6, 1e-4)(flat), guide), flat)).toBeLessThan(1e-4)
})

test('models of a small copy carry the edges of a large one', () => {
  const small: ColourPlanes = [plane(x => (x < 20 ? 0.2 : 0.8)), plane(() => 0), plane(() => 0)]
  const models = createGuide(small, 4, 1e-4)(plane(x => (x < 20 ? 0 : 1)))
  const enlarge = (from: Plane) => resize(from, 4 * width, 4 * height)
  const step = (x: number) => (x < 83 ? 0.2 : 0.8)
  const large = [
    fillPlane(createPlane(4 * width, 4 * height), index => step(index % (4 * width))),
    createPlane(4 * width, 4 * height),
    createPlane(4 * width, 4 * height),
  ] as const
  const scales = [enlarge(models.scales[0]), enlarge(models.scales[1]), enlarge(models.scales[2])] as const
  const result = applyModels({ scales, offset: enlarge(models.offset) }, large)
  const row = result.data.subarray(60 * 4 * width, 61 * 4 * width)
  expect((row[83] ?? NaN) - (row[82] ?? NaN)).toBeGreaterThan(0.8)
})
