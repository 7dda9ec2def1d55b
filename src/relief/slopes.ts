import { type ColourPlanes, fillPlane, type Plane } from './plane.ts'

export interface SlopeLimits {
  /** Cells that no way leads through. */
  readonly isWall: (index: number) => boolean
  /** Cells between which there is no step, whatever the photo shows. */
  readonly isWhole: (index: number) => boolean
  /** Largest change of disparity from cell to cell where the photo shows no edge. */
  readonly flat: number
  /** How much more for each change of colour, summed over the channels, ... */
  readonly perContrast: number
  /** ... beyond this much, which is texture. */
  readonly texture: number
}

/** Pairs of raster passes; ways around a corner need more than one. */
const rounds = 2

/**
 * Makes steps without an edge in the photo into slopes that a moving eye stretches but does not tear: a cheek that was
 * taken for nearer than the ear is a cheek all the same. Steps at edges stay. The answer is the mean of the highest surface
 * below and the lowest above the disparity that keep the limits, so most of a slope is half as steep as allowed.
 */
export function limitSlopes(disparity: Plane, guide: ColourPlanes, limits: SlopeLimits): Plane {
  const { width } = disparity
  const { isWall, isWhole, flat, perContrast, texture } = limits
  const step = (at: number, from: number) => {
    if (isWall(at) || isWall(from)) return Infinity
    if (isWhole(at)) return flat
    let contrast = 0
    for (const { data } of guide) contrast += Math.abs((data[at] as number) - (data[from] as number))
    return flat + perContrast * Math.max(0, contrast - texture)
  }
  const across = fillPlane(disparity, at => (at % width === 0 ? Infinity : step(at, at - 1)))
  const down = fillPlane(disparity, at => (at < width ? Infinity : step(at, at - width)))
  const below = envelope(disparity, across, down)
  const above = envelope(
    fillPlane(disparity, at => -(disparity.data[at] as number)),
    across,
    down,
  )
  return fillPlane(disparity, at => ((below.data[at] as number) - (above.data[at] as number)) / 2)
}

/** Each value lowered to what its neighbours allow: their value plus the step between. */
function envelope(plane: Plane, across: Plane, down: Plane): Plane {
  const { width, height } = plane
  const data = Float32Array.from(plane.data)
  const offer = (at: number, from: number, step: number) => {
    const most = (data[from] as number) + step
    if (most < (data[at] as number)) data[at] = most
  }
  for (let round = 0; round < rounds; round++) {
    for (let at = 1; at < data.length; at++) {
      offer(at, at - 1, across.data[at] as number)
      if (at >= width) offer(at, at - width, down.data[at] as number)
    }
    for (let at = data.length - 2; at >= 0; at--) {
      offer(at, at + 1, across.data[at + 1] as number)
      if (at + width < data.length) offer(at, at + width, down.data[at + width] as number)
    }
  }
  return { width, height, data }
}
