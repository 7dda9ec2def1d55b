import type { Analysis } from './analysis.ts'
import { findComponents } from './components.ts'
import { focusCue, hazeCue } from './cues.ts'
import { carryUpright, groundDisparity } from './ground.ts'
import { applyModels, type ColourPlanes, createGuide, type LinearModels } from './guided-filter.ts'
import { findHorizon } from './horizon.ts'
import { clamp, fillPlane, type Plane, quantiles, ramp, resize, stretch } from './plane.ts'
import { findSaliency } from './saliency.ts'
import type { Sky } from './sky.ts'

/** Weights of the two cues that every photo has; focus and haze bring their own. */
const uprightWeight = 0.62
const saliencyWeight = 0.3

/** Disparity of the small copy (0 far, 1 near). */
export interface Estimate {
  readonly disparity: Plane
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
  for (let index = 0; index < (sky?.length ?? 0); index++) if (sky?.[index] === 1) fused.data[index] = 0
  const [low = 0, high = 0] = quantiles(fused.data, [0.05, 0.95])
  return high - low < 0.08 ? standIn(luma) : { disparity: fused, standIn: false }
}

/** A shallow bowl with its middle near: pleasant from every side, never wrong. */
function standIn(like: Plane): Estimate {
  const { width, height } = like
  const disparity = fillPlane(like, index => {
    const x = (2 * ((index % width) + 0.5)) / width - 1
    const y = (2 * (Math.floor(index / width) + 0.5)) / height - 1
    return 0.25 + 0.4 * (1 - Math.min(1, (x * x + y * y) / 2))
  })
  return { disparity, standIn: true }
}

/**
 * Pulls the edges of the disparity to those of the photo (guided filter, coarse then fine) and stretches it to 0 to 1.
 * The answer are linear models of colour, to be enlarged to a finer copy.
 */
export function refineDisparity(analysis: Analysis, estimate: Estimate, sky: Sky): LinearModels {
  const side = Math.max(analysis.width, analysis.height)
  const guide = (part: number, epsilon: number) =>
    createGuide(analysis.colour, Math.max(1, Math.round(side / part)), epsilon)
  const coarse = filterBesideSky(analysis.colour, guide(24, 4e-3), estimate.disparity, sky)
  const fine = applyModels(guide(48, 2e-3)(coarse), analysis.colour)
  return guide(96, 1e-3)((estimate.standIn ? null : stretch(fine, 0.01, 0.995)) ?? fine)
}

/**
 * The coarse pass. Masts and towers are thinner than its window: the sky must not take part, or it would pull them away
 * from their feet. So the rest is filtered with its own share of each window as the weight, and the sky stays at 0.
 */
function filterBesideSky(
  colour: ColourPlanes,
  guide: (input: Plane) => LinearModels,
  disparity: Plane,
  sky: Sky,
): Plane {
  const filtered = applyModels(guide(disparity), colour)
  if (sky === null) return filtered
  const solid = applyModels(guide(fillPlane(disparity, index => 1 - (sky[index] as number))), colour)
  return fillPlane(disparity, index => {
    if (sky[index] === 1) return 0
    const weight = solid.data[index] as number
    return weight > 0.05 ? clamp((filtered.data[index] as number) / weight) : (disparity.data[index] as number)
  })
}

/** The disparity at a finer copy's size, clamped to 0 to 1. */
export function enlargeDisparity(models: LinearModels, colour: ColourPlanes): Plane {
  const enlarge = (plane: Plane) => resize(plane, colour[0].width, colour[0].height)
  const scales = models.scales.map(enlarge) as unknown as ColourPlanes
  const result = applyModels({ scales, offset: enlarge(models.offset) }, colour)
  return fillPlane(result, index => clamp(result.data[index] as number))
}
