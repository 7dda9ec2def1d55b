import { expect, test } from 'vitest'
import {
  approach,
  clampView,
  coverFov,
  eyeAt,
  isSameView,
  orbitLimits,
  photoView,
  swayAt,
  visibleFrame,
} from './camera.ts'

const degree = Math.PI / 180
const photo = { width: 1600, height: 1200, focal: 1500 }
const depths = { nearest: 1.6, near: 2.5 }

test('on a canvas of its own shape, the photo keeps its field of view but for the hidden margin', () => {
  const half = Math.tan((coverFov(photo, 4 / 3) / 2) * degree)
  expect(half).toBeCloseTo((1200 / (2 * 1500)) * visibleFrame, 12)
})

test('a square photo without a stated lens, taken as 30 mm, has 54.03 degrees before the margin', () => {
  const square = { width: 1000, height: 1000, focal: (30 * Math.hypot(1000, 1000)) / Math.hypot(36, 24) }
  const half = Math.tan((coverFov(square, 1) / 2) * degree) / visibleFrame
  expect(2 * Math.atan(half)).toBeCloseTo(54.03 * degree, 3)
})

test('the photo covers canvases of other shapes: neither side of the view leaves its frame', () => {
  for (const aspect of [0.5, 1, 4 / 3, 2, 3]) {
    const halfHeight = Math.tan((coverFov(photo, aspect) / 2) * degree)
    const overHeight = halfHeight / (photo.height / (2 * photo.focal))
    const overWidth = (halfHeight * aspect) / (photo.width / (2 * photo.focal))
    expect(Math.max(overHeight, overWidth)).toBeCloseTo(visibleFrame, 12)
  }
})

test('the photo was taken from the origin, and the eye looks at a point straight ahead', () => {
  const limits = orbitLimits(photo, depths)
  expect(limits.focus).toBe(2.5)
  expect(eyeAt(photoView(limits), limits)).toEqual([0, 0, 0])
  expect(orbitLimits(photo, { nearest: 0.5, near: 0.6 }).focus).toBe(2)
})

test("sideways and forward stay within SHARP's envelope", () => {
  const limits = orbitLimits(photo, depths)
  const envelope = 0.08 * Math.hypot(1600 / 1500, 1200 / 1500) * 1.6
  const [right] = eyeAt(clampView({ azimuth: 1, elevation: 0, distance: limits.focus }, limits), limits)
  expect(right).toBeCloseTo(envelope, 12)
  const [, , forward] = eyeAt(clampView({ azimuth: 0, elevation: 0, distance: 0 }, limits), limits)
  expect(-forward).toBeCloseTo(0.15 * 1.6, 12)
})

test('the eye never turns by more than 6 degrees, nor is it ever locked', () => {
  const wide = orbitLimits(photo, { nearest: 60, near: 60 })
  const tight = orbitLimits(photo, { nearest: 0.01, near: 80 })
  expect([wide.azimuth / degree, wide.elevation / degree]).toEqual([expect.closeTo(6, 9), expect.closeTo(5, 9)])
  expect([tight.azimuth / degree, tight.elevation / degree]).toEqual([expect.closeTo(1.5, 9), expect.closeTo(1.5, 9)])
  expect(wide.closest).toBeCloseTo(0.85 * 60, 9)
  expect(wide.farthest).toBeCloseTo(1.05 * 60, 9)
})

test('the sway begins at the view of the photo without a jerk, and stays inside the limits', () => {
  const limits = orbitLimits(photo, depths)
  expect(swayAt(0, limits)).toEqual(photoView(limits))
  expect(Math.abs(swayAt(0.05, limits).azimuth)).toBeLessThan(0.001 * limits.azimuth)
  for (let seconds = 0; seconds < 130; seconds += 0.1) {
    const view = swayAt(seconds, limits)
    expect(clampView(view, limits)).toEqual(view)
  }
})

test('easing covers the same way in one step as in many', () => {
  const limits = orbitLimits(photo, depths)
  const from = photoView(limits)
  const to = { azimuth: 0.1, elevation: -0.05, distance: 2.4 }
  let many = from
  for (let index = 0; index < 10; index++) many = approach(many, to, 0.01)
  const once = approach(from, to, 0.1)
  expect(many.azimuth).toBeCloseTo(once.azimuth, 12)
  expect(many.distance).toBeCloseTo(once.distance, 12)
  expect(isSameView(approach(from, to, 10), to)).toBe(true)
})
