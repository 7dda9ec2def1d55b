import { createPlane, type Plane } from './plane.ts'
import { channels, pushPull } from './push-pull.ts'

/** The parts of a disparity map behind which the background can come into sight. */
export interface Hidden {
  /** 1 where a second layer is needed. */
  readonly mask: Uint8Array
  /** For each pixel of the mask: the disparity of the visible background nearest to it. */
  readonly background: Plane
}

/** Narrower gaps, in pixels, are closed by the overlap of neighbouring Gaussians. */
const smallestGap = 1.2

/**
 * Finds what a moving eye can uncover. When the eye moves as far as it may, a surface of disparity D moves `reach * D`
 * pixels over the photo; so a pixel covers something that can be seen if, within `reach * (D - D')` pixels, there is a
 * background of disparity D'. That is D > min over pixels of (D' + distance / reach): one lower envelope of cones, found
 * in two raster passes. Slopes such as the ground stay below it and need no second layer.
 */
export function findHidden(disparity: Plane, reach: number): Hidden {
  const { width, height, data } = disparity
  const envelope = Float32Array.from(data)
  const background = createPlane(width, height)
  background.data.set(data)
  const straight = 1 / Math.max(1, reach)
  const diagonal = Math.SQRT2 * straight
  const offer = (at: number, from: number, step: number) => {
    const value = (envelope[from] as number) + step
    if (value >= (envelope[at] as number)) return
    envelope[at] = value
    background.data[at] = background.data[from] as number
  }
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      if (x > 0) offer(at, at - 1, straight)
      if (y === 0) continue
      offer(at, at - width, straight)
      if (x > 0) offer(at, at - width - 1, diagonal)
      if (x + 1 < width) offer(at, at - width + 1, diagonal)
    }
  for (let y = height - 1, at = data.length - 1; y >= 0; y--)
    for (let x = width - 1; x >= 0; x--, at--) {
      if (x + 1 < width) offer(at, at + 1, straight)
      if (y + 1 === height) continue
      offer(at, at + width, straight)
      if (x + 1 < width) offer(at, at + width + 1, diagonal)
      if (x > 0) offer(at, at + width - 1, diagonal)
    }
  const mask = new Uint8Array(data.length)
  for (let at = 0; at < data.length; at++)
    if ((data[at] as number) - (envelope[at] as number) > smallestGap * straight) mask[at] = 1
  return { mask, background }
}

/** Rings of pixels around the mask: the first mixes both surfaces' colours and says nothing. */
const rings = 5

/**
 * The pixels that show the background next to hidden parts: those around the mask, on its far side, that do not mix with
 * the front. They are what the second layer's colours are made from; the front's own pixels must never be.
 */
export function findWitnesses({ mask, background }: Hidden, disparity: Plane): Uint8Array {
  const { width, height, data } = disparity
  const ring = new Uint8Array(data.length)
  // The background that a pixel of the ring continues.
  const level = Float32Array.from(background.data)
  let front: number[] = []
  for (let at = 0; at < data.length; at++) if (mask[at] === 1) front.push(at)
  for (let number = 1; number <= rings; number++) {
    const next: number[] = []
    for (const from of front) {
      const x = from % width
      const limit = (level[from] as number) + 0.03
      const tryAt = (at: number) => {
        if (mask[at] === 1 || ring[at] !== 0 || (data[at] as number) > limit) return
        ring[at] = number
        level[at] = data[at] as number
        next.push(at)
      }
      if (x > 0) tryAt(from - 1)
      if (x + 1 < width) tryAt(from + 1)
      if (from >= width) tryAt(from - width)
      if (from + width < width * height) tryAt(from + width)
    }
    front = next
  }
  // A background that is a thin strip has a first ring only; one without any leaves everything that is not hidden.
  if (ring.some(number => number > 1)) return ring.map(number => (number > 1 ? 1 : 0))
  if (ring.some(number => number === 1)) return ring
  return mask.map(hidden => 1 - hidden)
}

/** Colour (0 to 255) and disparity of what is hidden, four numbers per cell: the witnesses', spread over the grid. */
export function fillHidden(hidden: Hidden, disparity: Plane, colours: Float32Array): Float32Array {
  const { width, height, data } = disparity
  const values = new Float32Array(data.length * channels)
  for (let at = 0; at < data.length; at++) {
    for (let channel = 0; channel < 3; channel++) values[channels * at + channel] = colours[3 * at + channel] as number
    values[channels * at + 3] = data[at] as number
  }
  pushPull(width, height, values, Float32Array.from(findWitnesses(hidden, disparity)))
  return values
}
