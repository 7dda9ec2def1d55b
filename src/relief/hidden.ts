import { createPlane, type Plane } from './plane.ts'
import { pushPull } from './push-pull.ts'

/** The parts of a disparity map behind which the background can come into sight. */
export interface Hidden {
  /** 1 where a second layer is needed. */
  readonly mask: Uint8Array
  /** In the mask the disparity of the visible background nearest to it, elsewhere that of the surface itself. */
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
    else background.data[at] = data[at] as number
  return { mask, background }
}

/** Rings of cells around the mask; the first ones may mix both surfaces' colours. */
const rings = 7
const mixed = 2

/**
 * Numbers the cells that show the background next to hidden parts: those around the mask, on its far side, from 1 beside
 * the mask; 0 for all others.
 */
export function numberRings({ mask, background }: Hidden, disparity: Plane): Uint8Array {
  const { width, height, data } = disparity
  const ring = new Uint8Array(data.length)
  // The background that a cell of the ring continues.
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
  return ring
}

/** Colours of both layers, red, green, blue, 0 to 255. */
export interface LayerColours {
  /** The photo's, without the outlines of the front that the photo's pixels draw on the background. */
  readonly front: Float32Array
  /** The background's, spread behind the front: its own colours never get there. */
  readonly filled: Float32Array
}

/** Parts the photo's colours into those of the front and those of what it hides. */
export function partColours(hidden: Hidden, disparity: Plane, colours: Float32Array): LayerColours {
  const ring = numberRings(hidden, disparity)
  const witnesses = Float32Array.from(ring, number => (number > mixed ? 1 : 0))
  // A background that is a thin strip has mixed cells only; one without any leaves everything that is not hidden.
  if (!witnesses.includes(1)) witnesses.set(ring.map(number => Math.min(1, number)))
  if (!witnesses.includes(1)) witnesses.set(hidden.mask.map(covered => 1 - covered))
  const filled = Float32Array.from(colours)
  pushPull(disparity.width, disparity.height, filled, witnesses)
  const front = Float32Array.from(colours)
  for (let at = 0; at < ring.length; at++) {
    const number = ring[at] as number
    if (number === 0 || number > mixed) continue
    for (let place = 3 * at; place < 3 * at + 3; place++) front[place] = filled[place] as number
  }
  return { front, filled }
}
