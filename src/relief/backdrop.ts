import { type CoarseCell, listMiddles, mirror } from './frame.ts'
import { createPlane, minimum, type Plane } from './plane.ts'

/** Side of the squares, in cells. */
const side = 4

/**
 * What shows where both layers have a gap, because a surface is steeper than the eye's envelope foresees: one coarse
 * surface at the farthest disparity within `reach` cells. Only near steps and slopes: elsewhere it could never be seen.
 */
export function listBackdrop(
  background: Plane,
  reach: number,
  gap: number,
): readonly (CoarseCell & { readonly disparity: number })[] {
  const { width, height, data } = background
  const xs = listMiddles(width, Math.max(width, height), side)
  const ys = listMiddles(height, Math.max(width, height), side)
  const coarse = createPlane(xs.length, ys.length)
  for (const [row, y] of ys.entries())
    for (const [column, x] of xs.entries()) {
      let lowest = Infinity
      for (let below = 0; below < side; below++)
        for (let beside = 0; beside < side; beside++) {
          const from = mirror(y - 1 + below, height) * width + mirror(x - 1 + beside, width)
          lowest = Math.min(lowest, data[from] as number)
        }
      coarse.data[row * xs.length + column] = lowest
    }
  const farthest = minimum(coarse, Math.ceil(reach / side))
  const cells: (CoarseCell & { disparity: number })[] = []
  for (const [row, y] of ys.entries())
    for (const [column, x] of xs.entries()) {
      const at = row * xs.length + column
      const disparity = farthest.data[at] as number
      if ((coarse.data[at] as number) - disparity < gap) continue
      cells.push({ x, y, side, source: mirror(y, height) * width + mirror(x, width), disparity })
    }
  return cells
}
