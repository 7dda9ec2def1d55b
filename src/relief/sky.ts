import type { Analysis } from './analysis.ts'
import { findComponents } from './components.ts'
import { maximum, minimum, type Plane } from './plane.ts'

/** Where the sky is: 1 for its pixels, or null when the photo shows none that can be told from its colour. */
export type Sky = Uint8Array | null

/** Less is a gap between branches, more is a photo of nothing else. */
const shares = [0.03, 0.88] as const

/** Widest gap that is no sky, as a share of the long side. */
const widestGap = 1 / 48

/** Least share of the photo that a thing before the sky has. */
const smallestThing = 0.0005

/**
 * Pixels that hang together with the top edge, are smooth, and look like air: bright and not warm, or blue. Growing by
 * smoothness alone would flow over fur, wood and skin.
 */
export function findSky(analysis: Analysis): Sky {
  const { width, height, luma, blueness, roughness } = analysis
  const sky = new Uint8Array(width * height)
  const queue = new Int32Array(width * height)
  let end = 0
  const tryAt = (at: number, neighbour: number, roughest: number) => {
    const bright = luma.data[at] as number
    if (sky[at] === 1 || (roughness.data[at] as number) > roughest || Math.abs(bright - neighbour) > 0.03) return
    const blue = blueness.data[at] as number
    if (!((bright > 0.55 && blue > -0.2) || (blue > 0.04 && bright > 0.08))) return
    sky[at] = 1
    queue[end++] = at
  }
  for (let x = 0; x < width; x++) tryAt(x, luma.data[x] as number, 0.035)
  for (let begin = 0; begin < end; begin++) {
    const at = queue[begin] as number
    const x = at % width
    const here = luma.data[at] as number
    // The mean roughness at the outline of a roof is high; the sky ends at the roof, not before it.
    if (x > 0) tryAt(at - 1, here, 0.2)
    if (x + 1 < width) tryAt(at + 1, here, 0.2)
    if (at >= width) tryAt(at - width, here, 0.2)
    if (at + width < sky.length) tryAt(at + width, here, 0.2)
  }
  const share = end / sky.length
  return share >= shares[0] && share <= shares[1] ? tidy({ width, height, data: Float32Array.from(sky) }) : null
}

/**
 * Gaps in lattices and between twigs go with what they are gaps in: they would be torn off it otherwise. Birds and specks
 * go with the sky.
 */
function tidy(sky: Plane): Uint8Array {
  const { width, height } = sky
  const gap = Math.round((Math.max(width, height) * widestGap) / 2)
  const open = maximum(minimum(sky, gap), gap)
  const result = Uint8Array.from(open.data)
  const things = findComponents(width, height, index => result[index] === 0, 1)
  for (const { pixels } of things)
    if (pixels.length < smallestThing * result.length) for (const at of pixels) result[at] = 1
  return result
}
