import type { Analysis } from './analysis.ts'
import { findComponents } from './components.ts'
import { focusCue, hazeCue } from './cues.ts'
import { carryUpright, groundDisparity, standBeforeSky } from './ground.ts'
import { findHorizon } from './horizon.ts'
import { fillPlane, type Plane, quantiles, ramp } from './plane.ts'
import { findSaliency } from './saliency.ts'
import type { Sky } from './sky.ts'

/** Weights of the two cues that every photo has; focus and haze bring their own. */
const uprightWeight = 0.62
const saliencyWeight = 0.3

/** Disparity of the small copy (0 far, 1 near). */
export interface Estimate {
  readonly disparity: Plane
  /** Row of the horizon; may lie between rows. */
  readonly horizon: number
  /** True for the shape that stands in where the cues tell nothing; it must not be stretched. */
  readonly standIn: boolean
}

/** The disparity from all cues, before its edges are refined. */
export function estimateDisparity(analysis: Analysis, sky: Sky): Estimate {
  const { width, height, luma } = analysis
  const horizon = findHorizon(analysis, sky)
  const saliency = findSaliency(analysis)
  if (saliency.data.filter(value => value > 0.5).length > 0.7 * saliency.data.length) return standIn(luma)
  const upright = carryUpright(analysis, saliency, horizon)
  const shapes = fillPlane(luma, index => {
    const sum = uprightWeight * (upright.data[index] as number) + saliencyWeight * (saliency.data[index] as number)
    return sum / (uprightWeight + saliencyWeight)
  })
  const focus = focusCue(analysis, shapes)
  const haze = hazeCue(analysis, sky)
  const total = uprightWeight + saliencyWeight + focus.weight + haze.weight
  const fused = fillPlane(
    luma,
    index =>
      ((uprightWeight + saliencyWeight) * (shapes.data[index] as number) +
        focus.weight * (focus.near.data[index] as number) +
        haze.weight * (haze.near.data[index] as number)) /
      total,
  )
  // What stands out stands somewhere: most of the way to the disparity of the ground at its foot.
  const salient = (index: number) => (saliency.data[index] as number) > 0.5
  for (const component of findComponents(width, height, salient, 0.004 * fused.data.length)) {
    const foot = 0.9 * groundDisparity(component.foot, horizon, height)
    for (const index of component.pixels) {
      const share = 0.75 * ramp(saliency.data[index] as number, 0.5, 0.9)
      fused.data[index] = (1 - share) * (fused.data[index] as number) + share * foot
    }
  }
  if (sky !== null) {
    standBeforeSky(fused, sky, horizon)
    for (let index = 0; index < sky.length; index++) if (sky[index] === 1) fused.data[index] = 0
  }
  const [low = 0, high = 0] = quantiles(fused.data, [0.05, 0.95])
  return high - low < 0.08 ? standIn(luma) : { disparity: fused, horizon, standIn: false }
}

/** A shallow bowl with its middle near: pleasant from every side, never wrong. */
function standIn(like: Plane): Estimate {
  const { width, height } = like
  const disparity = fillPlane(like, index => {
    const x = (2 * ((index % width) + 0.5)) / width - 1
    const y = (2 * (Math.floor(index / width) + 0.5)) / height - 1
    return 0.25 + 0.4 * (1 - Math.min(1, (x * x + y * y) / 2))
  })
  return { disparity, horizon: 0, standIn: true }
}
