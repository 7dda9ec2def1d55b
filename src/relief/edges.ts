import { createPlane, maximum, minimum, type Plane } from './plane.ts'

/** Cells that an edge of the disparity may be blurred over, or lie beside the photo's. */
const radius = 3

/** Cells around that tell what both sides look like. */
const sight = 5

/** A cell that mixes both sides counts as near from this share of the near side's colour. */
const nearShare = 0.35

/** Sides whose colours differ by less, in 8-bit levels, cannot be told apart. */
const leastContrast = 16

/** Cells of a side without which it tells nothing. */
const fewest = 3

/** Places of the sides' sums. */
const far = 0
const near = 5

/**
 * Turns depth edges into clean steps where the photo has its outline. A cell on a slope that a moving eye would tear (see
 * `findHidden` for `reach`), or close to a step, goes to the side whose colour it has; where the colours tell nothing, to the
 * nearer end of the slope. A torn slope is a fringe of loose Gaussians, a step has a clean second layer.
 */
export function sharpenEdges(disparity: Plane, colours: Float32Array, reach: number): Plane {
  const smallestStep = (2 * radius) / reach
  const high = maximum(disparity, radius)
  const low = minimum(disparity, radius)
  // Where both sides meet: the disparity between them; elsewhere not a number.
  const middle = createPlane(disparity.width, disparity.height)
  const steps = createPlane(disparity.width, disparity.height)
  for (let at = 0; at < steps.data.length; at++) {
    const here = disparity.data[at] as number
    const top = high.data[at] as number
    const bottom = low.data[at] as number
    const onEdge = top - bottom >= smallestStep
    middle.data[at] = onEdge ? (top + bottom) / 2 : Number.NaN
    steps.data[at] = onEdge ? (top - here < here - bottom ? top : bottom) : here
  }
  return median(assignByColour(median(steps), colours, smallestStep, middle))
}

/** Gives the cells at steps to the side whose mean colour, among the cells around that show one side only, is the nearer. */
function assignByColour(steps: Plane, colours: Float32Array, smallestStep: number, middle: Plane): Plane {
  const { width, height, data } = steps
  const close = minimum(steps, 2)
  const top = maximum(steps, 1)
  const bottom = minimum(steps, 1)
  // What touches a step may mix both sides and tells nothing.
  const pure = new Uint8Array(data.length)
  for (let at = 0; at < pure.length; at++)
    if ((top.data[at] as number) - (bottom.data[at] as number) < smallestStep / 2) pure[at] = 1
  const result = { width, height, data: Float32Array.from(data) }
  // Of both sides, the far one first: count, disparity, red, green, blue.
  const sums = new Float64Array(10)
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      const between = middle.data[at] as number
      if (Number.isNaN(between)) continue
      sums.fill(0)
      const right = Math.min(width - 1, x + sight)
      for (let row = Math.max(0, y - sight); row <= Math.min(height - 1, y + sight); row++)
        for (let other = row * width + Math.max(0, x - sight); other <= row * width + right; other++) {
          if (pure[other] === 0) continue
          const value = data[other] as number
          const side = value > between ? near : far
          sums[side] = (sums[side] as number) + 1
          sums[side + 1] = (sums[side + 1] as number) + value
          for (let channel = 0; channel < 3; channel++)
            sums[side + 2 + channel] = (sums[side + 2 + channel] as number) + (colours[3 * other + channel] as number)
        }
      const countNear = sums[near] as number
      const countFar = sums[far] as number
      if (countNear < fewest || countFar < fewest) continue
      // Where the cell lies between the colours of both sides: 0 far, 1 near.
      let along = 0
      let square = 0
      for (let channel = 2; channel < 5; channel++) {
        const from = (sums[far + channel] as number) / countFar
        const difference = (sums[near + channel] as number) / countNear - from
        along += difference * ((colours[3 * at + channel - 2] as number) - from)
        square += difference * difference
      }
      if (square < leastContrast * leastContrast) continue
      const side = along > nearShare * square ? near : far
      // Gaps that were closed on purpose, in a lattice, stay closed.
      if (side === far && (close.data[at] as number) > between) continue
      result.data[at] = (sums[side + 1] as number) / (sums[side] as number)
    }
  return result
}

/** Median of 3 x 3 cells: takes away the single cells that went to the wrong side. The border stays as it is. */
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
