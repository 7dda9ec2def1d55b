import { fillPlane, maximum, minimum, type Plane } from './plane.ts'

/** Pixels that an edge may be blurred over. */
const radius = 3

/**
 * Turns blurred depth edges into steps: a pixel on a slope that a moving eye would tear (see `findHidden` for `reach`)
 * goes to the nearer end of the slope. A torn slope is a fringe of loose Gaussians, a step has a clean second layer.
 */
export function sharpenEdges(disparity: Plane, reach: number): Plane {
  const smallestStep = (2 * radius) / reach
  const high = maximum(disparity, radius)
  const low = minimum(disparity, radius)
  const steps = fillPlane(disparity, index => {
    const here = disparity.data[index] as number
    const top = high.data[index] as number
    const bottom = low.data[index] as number
    if (top - bottom < smallestStep) return here
    return top - here < here - bottom ? top : bottom
  })
  // Pixels at an outline mix both colours. They go with the front: left behind, they would draw its outline on the back.
  const clean = median(steps)
  const front = maximum(clean, 1)
  return fillPlane(clean, index => {
    const here = clean.data[index] as number
    const top = front.data[index] as number
    return top - here > smallestStep ? top : here
  })
}

/** Median of 3 x 3 pixels: takes away the single pixels that went to the wrong end. The border stays as it is. */
function median(plane: Plane): Plane {
  const { width, height, data } = plane
  const result = { width, height, data: Float32Array.from(data) }
  const window = new Float32Array(9)
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x
      let low = Infinity
      let high = -Infinity
      for (let row = 0, next = 0; row < 3; row++)
        for (let column = 0; column < 3; column++, next++) {
          const value = data[at + (row - 1) * width + column - 1] as number
          window[next] = value
          if (value < low) low = value
          if (value > high) high = value
        }
      // Most of the map is smooth, and sorting it would take longer than everything else in this file.
      if (high - low > 0.02) result.data[at] = window.sort()[4] as number
    }
  return result
}
