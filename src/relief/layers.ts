import { listBackdrop } from './backdrop.ts'
import { listFrame } from './frame.ts'
import { type Camera, gaussianFloats, writeGaussian } from './gaussians.ts'
import type { Hidden, LayerColours } from './hidden.ts'
import type { Plane } from './plane.ts'

/** What the layers are made from; all of the camera's grid size. */
export interface Surfaces {
  readonly camera: Camera
  /** Of the front, 0 far to 1 near. */
  readonly disparity: Plane
  readonly hidden: Hidden
  readonly colours: LayerColours
  /** How far the eye moves a surface of disparity 1 over the photo, in cells. */
  readonly reach: number
}

/** The second layer's Gaussians are wider: it is seen at angles that the photo did not see. */
const hiddenEnlarge = 1.5

/** Rows between two reports of progress. */
const reportEvery = 64

/**
 * One Gaussian per cell of the front, then one per cell of the second layer, rows from the top; then what is coarse: the
 * surroundings of the photo and the backdrop. `report` gets the share done.
 */
export function writeLayers(surfaces: Surfaces, report: (part: number) => void): Float32Array {
  const { camera, disparity, hidden, reach } = surfaces
  const { front, filled } = surfaces.colours
  const { mask, background } = hidden
  const { width, height } = camera
  // What a moving eye can just tell apart.
  const gap = 1 / reach
  const frame = listFrame(width, height)
  const backdrop = listBackdrop(background, reach, gap)
  const count = mask.reduce((sum, covered) => sum + covered, mask.length + frame.length + backdrop.length)
  const vertices = new Float32Array(count * gaussianFloats)
  let place = 0
  const write = (x: number, y: number, depth: number, enlarge: number, from: Float32Array, at: number) => {
    writeGaussian(vertices, place, camera, { x, y, disparity: Math.max(0, depth), enlarge }, from, 3 * at)
    place += gaussianFloats
  }
  const afterRow = (y: number) => {
    if (y % reportEvery === reportEvery - 1) report(place / vertices.length)
  }
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) write(x, y, disparity.data[at] as number, 1, front, at)
    afterRow(y)
  }
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (mask[at] === 0) continue
      const depth = Math.min(background.data[at] as number, (disparity.data[at] as number) - gap)
      write(x, y, depth, hiddenEnlarge, filled, at)
    }
    afterRow(y)
  }
  for (const { x, y, side, source } of frame)
    write(x, y, background.data[source] as number, side, mask[source] === 1 ? filled : front, source)
  for (const { x, y, side, source, disparity: depth } of backdrop) write(x, y, depth, side, filled, source)
  report(1)
  return vertices
}
