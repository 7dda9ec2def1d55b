import { expect, test } from 'vitest'
import { type Raster, type RasterCamera, rasterise, toBytes } from './splat-raster.ts'

const camera: RasterCamera = { width: 101, height: 81, focal: 100, eye: [0, 0, 0], target: [0, 0, 1] }
const sh0 = 0.28209479177387814
const opaque = 20

interface Splat {
  readonly place: readonly [number, number, number]
  /** 0 to 1. */
  readonly colour?: readonly [number, number, number]
  readonly logit?: number
  /** Metres. */
  readonly sigma?: readonly [number, number, number]
  readonly rotation?: readonly [number, number, number, number]
}

function pack(splats: readonly Splat[]): Float32Array {
  return Float32Array.from(
    splats.flatMap(
      ({ place, colour = [1, 1, 1], logit = opaque, sigma = [0.1, 0.1, 0.1], rotation = [1, 0, 0, 0] }) => [
        ...place,
        ...colour.map(value => (value - 0.5) / sh0),
        logit,
        ...sigma.map(Math.log),
        ...rotation,
      ],
    ),
  )
}

/** The middle of what is seen, in pixels. */
function middle({ width, opacity }: Raster): [x: number, y: number] {
  let [x, y, sum] = [0, 0, 0]
  for (const [index, value] of opacity.entries()) {
    x += value * ((index % width) + 0.5)
    y += value * (Math.floor(index / width) + 0.5)
    sum += value
  }
  return [x / sum, y / sum]
}

test('a splat is where the pinhole puts it: x right, y down, z forward', () => {
  const [x, y] = middle(rasterise(pack([{ place: [0.4, -0.2, 2] }]), camera))
  expect(x).toBeCloseTo(50.5 + 20, 1)
  expect(y).toBeCloseTo(40.5 - 10, 1)
  expect(Math.max(...rasterise(pack([{ place: [0, 0, -2] }]), camera).opacity)).toBe(0)
})

test('it is as wide and as faint as Spark draws it: variance plus 0.3, opacity less in proportion', () => {
  const { opacity } = rasterise(pack([{ place: [0, 0, 2], logit: 0, sigma: [0.04, 0.02, 0.01] }]), camera)
  const at = (x: number, y: number) => opacity[(40 + y) * 101 + 50 + x] ?? NaN
  // 2 and 1 pixels of sigma.
  const peak = 0.5 * Math.sqrt((4 * 1) / (4.3 * 1.3))
  expect(at(0, 0)).toBeCloseTo(peak, 5)
  expect(at(3, 0)).toBeCloseTo(peak * Math.exp(-9 / 8.6), 5)
  expect(at(0, 2)).toBeCloseTo(peak * Math.exp(-4 / 2.6), 5)
  expect(at(7, 0)).toBe(0)
})

test('its rotation is a quaternion w, x, y, z', () => {
  const half = Math.SQRT1_2
  const turned = pack([{ place: [0, 0, 2], sigma: [0.04, 0.02, 0.01], rotation: [half, 0, 0, half] }])
  const upright = rasterise(pack([{ place: [0, 0, 2], sigma: [0.02, 0.04, 0.01] }]), camera)
  for (const [index, value] of rasterise(turned, camera).opacity.entries())
    expect(value).toBeCloseTo(upright.opacity[index] ?? NaN, 5)
  // A quarter of a turn about x brings the third axis, the longest, to point down the picture.
  const tipped = pack([{ place: [0, 0, 2], sigma: [0.02, 0.01, 0.04], rotation: [half, half, 0, 0] }])
  for (const [index, value] of rasterise(tipped, camera).opacity.entries())
    expect(value).toBeCloseTo(upright.opacity[index] ?? NaN, 5)
})

test('what is near hides what is far, in whatever order they come', () => {
  const near: Splat = { place: [0, 0, 2], colour: [1, 0, 0], logit: 0 }
  const far: Splat = { place: [0, 0, 4], colour: [0, 0, 1], sigma: [0.4, 0.4, 0.4] }
  const one = rasterise(pack([near, far]), camera)
  const other = rasterise(pack([far, near]), camera)
  expect(other).toEqual(one)
  const at = 3 * (40 * 101 + 50)
  const [red = NaN, green, blue = NaN] = toBytes(one, 0).subarray(at, at + 3)
  expect([red, green]).toEqual([expect.closeTo(126, -0.5), 0])
  expect(red + blue).toBeGreaterThan(253)
  expect(one.front[40 * 101 + 50]).toBeCloseTo(0.5, 5)
  expect(one.back[40 * 101 + 50]).toBeCloseTo(0.25, 5)
})

test('an eye that moves to the right sees near things farther left, and one that rises sees them lower', () => {
  const places = [2, 4].map(z => pack([{ place: [0, 0, z] }]))
  const from = (eye: RasterCamera['eye']) =>
    places.map(splat => middle(rasterise(splat, { ...camera, eye, target: [0, 0, 4] })))
  const [[nearX], [farX]] = from([0.2, 0, 0]) as [[number, number], [number, number]]
  expect(farX).toBeCloseTo(50.5, 1)
  expect(nearX).toBeLessThan(47)
  const [[, nearY], [, farY]] = from([0, -0.2, 0]) as [[number, number], [number, number]]
  expect(farY).toBeCloseTo(40.5, 1)
  expect(nearY).toBeGreaterThan(43)
})

test('what nothing covers shows the background', () => {
  expect(new Set(toBytes(rasterise(pack([]), camera), 40))).toEqual(new Set([40]))
})
