import type { Analysis } from './analysis.ts'
import type { Estimate } from './depth.ts'
import { spreadTrusted } from './domain-transform.ts'
import { boxMean, type ColourPlanes, fillPlane, maximum, minimum, type Plane, ramp, resize, stretch } from './plane.ts'
import type { Sky } from './sky.ts'
import { limitSlopes } from './slopes.ts'

/** Share of the long side that an edge of the estimate may lie beside the photo's. */
const looseness = 1 / 64

/** How far disparity evens out where the photo is flat, as a share of the long side. */
const evenness = 1 / 16

/** Without a sky nothing is as far as one: the disparity of the farthest things in a room or on a table. */
const farthestIndoors = 0.25

/** What a step takes: see `SlopeLimits`. */
const edges = { perContrast: 5, texture: 0.015 }

/**
 * The disparity at a finer copy's size, 0 to 1: even where the photo is, without steps where it shows no edge, and with the
 * others where it shows theirs. Near its own steps the estimate is not to be trusted; there it comes from both sides, as far
 * as the colours let it. `reach`: how many cells of the finer copy the eye moves a surface of disparity 1 over the photo.
 */
export function refineDisparity(
  analysis: Analysis,
  estimate: Estimate,
  sky: Sky,
  fine: ColourPlanes,
  reach: number,
): Plane {
  const { width, height } = fine[0]
  const side = Math.max(analysis.width, analysis.height)
  const fineSide = Math.max(width, height)
  // The sky was found by colour, so its outline lies where the photo has it, and it takes no part: masts are thin.
  const isSky = (index: number) => sky?.[index] === 1
  const solid = fillPlane(estimate.disparity, index => (isSky(index) ? 0 : 1))
  const even = spreadTrusted(analysis.colour, stretchEstimate(estimate, sky), solid, {
    distance: side * evenness,
    contrast: 0.8,
  })
  const steepest = fineSide / (side * reach)
  // What stands before the sky is seen to hang together.
  const whole = (index: number) => sky !== null && index < estimate.horizon * analysis.width
  const blurred = analysis.colour.map(plane => boxMean(plane, 2)) as unknown as ColourPlanes
  const calm = limitSlopes(even, blurred, { isWall: isSky, isWhole: whole, flat: steepest, ...edges })
  const trust = trustAwayFromSteps(calm, isSky, Math.max(1, Math.round(side * looseness)), steepest)
  const refined = spreadTrusted(fine, resize(calm, width, height), resize(trust, width, height), {
    distance: fineSide * evenness,
    contrast: 0.5,
  })
  if (sky === null) return refined
  const ground = resize(solid, width, height)
  return fillPlane(refined, index => ((ground.data[index] as number) < 0.5 ? 0 : (refined.data[index] as number)))
}

/** Uses the whole range that there is. */
function stretchEstimate({ disparity, standIn }: Estimate, sky: Sky): Plane {
  const stretched = standIn ? null : stretch(disparity, 0.01, 0.995)
  if (stretched === null) return disparity
  const farthest = sky === null ? farthestIndoors : 0
  return fillPlane(stretched, index => farthest + (1 - farthest) * (stretched.data[index] as number))
}

/** Nearly 0 within `radius` of a step between things, 1 on the slopes that `limitSlopes` leaves, 0 in the sky. */
function trustAwayFromSteps(
  disparity: Plane,
  isSky: (index: number) => boolean,
  radius: number,
  steepest: number,
): Plane {
  const { data } = disparity
  const high = maximum(
    fillPlane(disparity, index => (isSky(index) ? 0 : (data[index] as number))),
    radius,
  )
  const low = minimum(
    fillPlane(disparity, index => (isSky(index) ? 1 : (data[index] as number))),
    radius,
  )
  const slope = radius * steepest
  return fillPlane(disparity, index => {
    if (isSky(index)) return 0
    const step = (high.data[index] as number) - (low.data[index] as number)
    return Math.max(1e-3, 1 - ramp(step, 2 * slope, 3 * slope))
  })
}
