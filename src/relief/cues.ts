import { type Analysis, differences } from './analysis.ts'
import { boxMean, clamp, correlation, fillPlane, minimum, type Plane, quantiles, ramp, stretch } from './plane.ts'
import type { Sky } from './sky.ts'

/** A hint at disparity (0 far, 1 near) and how far to trust it. */
export interface Cue {
  readonly near: Plane
  /** 0 where the photo does not show this cue. */
  readonly weight: number
}

/**
 * Sharp is near. Edges are blurred once more: the sharper they were, the more they lose (Zhuo and Sim 2011). Trusted only
 * where sharpness varies over the photo and agrees with the other cues: a sharp background behind a blurred fence is
 * worse than no cue.
 */
export function focusCue(analysis: Analysis, others: Plane): Cue {
  const { width, height, luma } = analysis
  const edges = differences(luma)
  const blurred = differences(boxMean(boxMean(luma, 1), 1))
  const strength = fillPlane(luma, index => {
    const x = edges.gradientX.data[index] as number
    const y = edges.gradientY.data[index] as number
    const size = Math.hypot(x, y)
    return size > 0.03 ? size : 0
  })
  const sharpness = fillPlane(luma, index => {
    const before = strength.data[index] as number
    const after = Math.hypot(blurred.gradientX.data[index] as number, blurred.gradientY.data[index] as number)
    return before * clamp(before / (after + 0.01) - 1, 0, 3)
  })
  const radius = Math.max(1, Math.round(Math.max(width, height) / 20))
  const total = boxMean(sharpness, radius)
  const weight = boxMean(strength, radius)
  const mean = (plane: Plane) => plane.data.reduce((sum, value) => sum + value, 0) / plane.data.length
  // Regions without edges get the photo's mean sharpness.
  const prior = 0.1 * mean(strength) + 1e-6
  const usual = mean(sharpness) / (mean(strength) + 1e-6)
  const local = fillPlane(
    luma,
    index => ((total.data[index] as number) + prior * usual) / ((weight.data[index] as number) + prior),
  )
  const near = stretch(local, 0.05, 0.95)
  if (near === null) return { near: local, weight: 0 }
  const [low = 0, middle = 0, high = 0] = quantiles(local.data, [0.1, 0.5, 0.9])
  const variation = (high - low) / (middle + 0.1)
  const agreement = correlation(near, others, () => true)
  return { near, weight: 0.35 * ramp(variation, 0.3, 1) * ramp(agreement, 0, 0.3) }
}

/**
 * Hazy is far. The dark channel tells how much light was scattered in on the way (He et al. 2009). Trusted only where it
 * grows towards the top of the photo: a white wall is no haze.
 */
export function hazeCue(analysis: Analysis, sky: Sky): Cue {
  const { width, height, darkest } = analysis
  const dark = boxMean(minimum(darkest, Math.max(1, Math.round(Math.max(width, height) / 50))), 3)
  const [air = 1] = quantiles(dark.data, [0.99])
  // -ln(transmission) grows in proportion to the distance.
  const distance = fillPlane(
    dark,
    index => -Math.log(1 - 0.95 * clamp((dark.data[index] as number) / Math.max(air, 0.05))),
  )
  const haze = stretch(distance, 0.02, 0.98)
  if (haze === null) return { near: distance, weight: 0 }
  const altitude = fillPlane(dark, index => 1 - Math.floor(index / width) / height)
  const agreement = correlation(haze, altitude, index => sky?.[index] !== 1)
  return {
    near: fillPlane(haze, index => 1 - (haze.data[index] as number)),
    weight: Math.max(0, agreement - 0.3) * 0.3,
  }
}
