import type { Analysis } from './analysis.ts'
import { findComponents } from './components.ts'
import { boxMean, clamp, createPlane, fillPlane, type Plane, ramp } from './plane.ts'

/** Disparity (0 far, 1 near) of a flat ground at a row: linear below the horizon, as for any plane seen by a pinhole. */
export function groundDisparity(y: number, horizon: number, height: number): number {
  if (y < horizon) return 0.06 + 0.06 * (y / horizon)
  return clamp(0.12 + 0.88 * ((y - horizon) / Math.max(1, height - 1 - horizon, 0.4 * height)))
}

/**
 * Stands things up on the ground: walking up each column, what looks upright (mostly vertical edges, or salient) keeps
 * the disparity of its foot, everything else sinks back to the ground's. Without this, people and towers lean backwards.
 */
export function carryUpright(analysis: Analysis, saliency: Plane, horizon: number): Plane {
  const { width, height, gradientX, gradientY } = analysis
  const across = boxMean(gradientX, 3)
  const down = boxMean(gradientY, 3)
  const keep = fillPlane(across, index => {
    const x = across.data[index] as number
    // The constant keeps noise in flat regions from looking like edges.
    const verticalness = x / (x + (down.data[index] as number) + 0.004)
    return Math.max(ramp(verticalness, 0.5, 0.7), ramp(saliency.data[index] as number, 0.35, 0.65))
  })
  const upright = createPlane(width, height)
  for (let y = height - 1; y >= 0; y--) {
    const ground = groundDisparity(y, horizon, height)
    for (let x = 0; x < width; x++) {
      const at = y * width + x
      const below = y + 1 < height ? (upright.data[at + width] as number) : 0
      const loss = (0.15 + 3 * (1 - (keep.data[at] as number))) / height
      upright.data[at] = Math.max(ground, below - loss)
    }
  }
  return upright
}

/** Wider things before the sky may be at several depths: a row of trees, a street. As a share of the width. */
const widestThing = 0.35

/**
 * What stands before the sky by itself, such as a mast, has one disparity: its columns' would differ and bend it. Wider
 * things get a mean of their surroundings in which near counts more: eaves go with the house, not with what is below them.
 */
export function standBeforeSky(disparity: Plane, sky: Uint8Array, horizon: number): void {
  const { width, height, data } = disparity
  const stands = (index: number) => index < Math.floor(horizon) * width && sky[index] === 0
  const near = fillPlane(disparity, index => (stands(index) ? (data[index] as number) : 0))
  const squares = fillPlane(near, index => (near.data[index] as number) ** 2)
  const radius = Math.round(width / 12)
  const weight = boxMean(near, radius)
  const sum = boxMean(squares, radius)
  for (const { pixels } of findComponents(width, height, stands, 1)) {
    const columns = pixels.map(at => at % width)
    const wide =
      columns.reduce((a, b) => Math.max(a, b)) - columns.reduce((a, b) => Math.min(a, b)) > widestThing * width
    const mean = pixels.reduce((total, at) => total + (data[at] as number), 0) / pixels.length
    for (const at of pixels) data[at] = wide ? (sum.data[at] as number) / (weight.data[at] as number) : mean
  }
}
