import { expect, test } from 'vitest'
import { type SideCarFacts, toSideCar } from '../splat/side-car.ts'
import { toViewerSettings } from './viewer-page.ts'

const facts: SideCarFacts = {
  count: 10,
  image: { width: 4_000, height: 3_000 },
  focalPx: 3_000,
  depthQuantiles: { '0.1%': 1.5, '10%': 3, '50%': 5, '90%': 12 },
  disparityQuantiles: [0.08, 0.5],
  bounds: { min: [-1, -1, 1], max: [1, 1, 12] },
  colorSpace: 'sRGB',
}

/** The viewer's own judge of settings; its types do not resolve. */
async function loadJudge() {
  const name = '@playcanvas/splat-transform/viewer-settings'
  return (await import(name)) as { validateSettings(settings: unknown, options: { limits: boolean }): unknown }
}

test.each([
  ['a photo', facts],
  ['a file that says nothing of its photo', { ...facts, image: null, focalPx: null }],
  ['a camera with a very long lens', { ...facts, focalPx: 16_000 }],
])('the viewer takes the settings for %s, within its limits', async (_, given) => {
  const { validateSettings } = await loadJudge()
  expect(() => validateSettings(toViewerSettings(toSideCar(given)), { limits: true })).not.toThrow()
})

test('the camera begins and ends at the origin, looks along z, and stays within reach', () => {
  const sideCar = toSideCar(facts)
  const { animTracks } = toViewerSettings(sideCar) as unknown as {
    readonly animTracks: {
      readonly keyframes: { times: number[]; values: { position: number[]; target: number[]; fov: number[] } }
    }[]
  }
  const { times, values } = animTracks[0]?.keyframes ?? { times: [], values: { position: [], target: [], fov: [] } }
  const positions = times.map((_, index) => values.position.slice(3 * index, 3 * index + 3))
  for (const place of [positions[0], positions.at(-1)])
    expect(place?.map(value => Math.round(value * 1e9) + 0)).toEqual([0, 0, 0])
  for (const [x = NaN, y = NaN, z = NaN] of positions) {
    expect(Math.abs(x)).toBeLessThan(sideCar.reach.sideways)
    expect([y, z >= 0, z < sideCar.reach.forward]).toEqual([0, true, true])
  }
  expect(Math.max(...positions.map(([x = 0]) => x))).toBeGreaterThan(0.5 * sideCar.reach.sideways)
  expect(values.target.slice(0, 3)).toEqual([0, 0, 3])
  // The longer side at a distance of 1, less the margin that hides the border.
  expect(values.fov[0]).toBeCloseTo((2 * Math.atan((4_000 / 6_000) * 0.92) * 180) / Math.PI)
})

test('what the file does not say is null in the side-car, and the eye then stays on its axis', () => {
  expect(toSideCar({ ...facts, image: null, focalPx: null, disparityQuantiles: null })).toMatchObject({
    image: null,
    vertical_fov: null,
    horizontal_fov: null,
    disparity_quantiles: null,
    reach: { sideways: 0, forward: expect.closeTo(0.225) },
    focus: 3,
  })
})
