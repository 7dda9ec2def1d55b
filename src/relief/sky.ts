import type { Analysis } from './analysis.ts'

/** Where the sky is: 1 for its pixels, or null when the photo shows none that can be told from its colour. */
export type Sky = Uint8Array | null

/** Less is a gap between branches, more is a photo of nothing else. */
const shares = [0.03, 0.88] as const

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
  return share >= shares[0] && share <= shares[1] ? sky : null
}
