import { expect, test } from 'vitest'
import { orbitLimits, photoView, type View } from './camera.ts'
import { createOrbit } from './orbit.ts'

const limits = orbitLimits({ width: 1600, height: 1200, focal: 1500 }, { nearest: 1.6, near: 2.5 })
const start = photoView(limits)

/** Advances at 60 frames a second until nothing moves; answers the last view and when it stood still. */
function settle(orbit: ReturnType<typeof createOrbit>, from: number): { view: View; at: number } {
  for (let now = from; now < from + 10; now += 1 / 60) {
    const { view, moving } = orbit.advance(now)
    if (!moving) return { view, at: now }
  }
  throw new Error('still moving after 10 s')
}

test('begins where the photo was taken and stands still', () => {
  expect(createOrbit(limits).advance(5)).toEqual({ view: start, moving: false })
})

test('a turn eases to its place, stops at the edge, and a reset comes back exactly', () => {
  const orbit = createOrbit(limits)
  orbit.turn(9, -9, 0)
  const first = orbit.advance(0)
  expect(first.moving).toBe(true)
  expect(first.view.azimuth).toBeLessThan(limits.azimuth / 2)
  const there = settle(orbit, 1 / 60)
  expect(there.view).toEqual({ azimuth: limits.azimuth, elevation: -limits.elevation, distance: limits.focus })
  orbit.reset(there.at)
  expect(settle(orbit, there.at).view).toEqual(start)
})

test('standing still is no part of the next movement: a key after a minute still eases', () => {
  const orbit = createOrbit(limits)
  orbit.advance(0)
  orbit.turn(1, 0, 60)
  expect(orbit.advance(60).view.azimuth).toBeLessThan(limits.azimuth / 2)
})

test('approaching ends at the closest and at the farthest point, and tells when there is no way left', () => {
  const orbit = createOrbit(limits)
  expect(orbit.approach(5, 0)).toBe(true)
  expect(orbit.approach(1, 0)).toBe(false)
  expect(settle(orbit, 0).view.distance).toBe(limits.closest)
  orbit.approach(-5, 20)
  expect(settle(orbit, 20).view.distance).toBe(limits.farthest)
})

test('sways only where that is allowed, and not within six seconds of any input', () => {
  const orbit = createOrbit(limits)
  expect(orbit.advance(100).moving).toBe(false)
  orbit.allowSway(true)
  expect(orbit.advance(100).moving).toBe(true)
  orbit.reset(101)
  const { at } = settle(orbit, 101)
  expect(at).toBeLessThan(106)
  expect(orbit.advance(106.9).moving).toBe(false)
  expect(orbit.advance(107.1).moving).toBe(true)
  orbit.allowSway(false)
  expect(settle(orbit, 107.2).view).toEqual(start)
})
