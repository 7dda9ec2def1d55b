import { type Camera, gaussianFloats, writeGaussian } from './gaussians.ts'
import type { Plane } from './plane.ts'
import { channels } from './push-pull.ts'

/** What both layers are made from; all of the camera's grid size. */
export interface Surfaces {
  readonly camera: Camera
  /** Of the front, 0 far to 1 near. */
  readonly disparity: Plane
  /** Of the front: red, green, blue, 0 to 255. */
  readonly colours: Float32Array
  /** 1 where there is a second layer. */
  readonly mask: Uint8Array
  /** Of the second layer: red, green, blue, disparity. */
  readonly filled: Float32Array
  /** The second layer's least distance behind the front, in disparity. */
  readonly gap: number
}

/** The second layer's Gaussians are wider: it is seen at angles that the photo did not see. */
const hiddenEnlarge = 1.5

/** Rows between two reports of progress. */
const reportEvery = 64

/** One Gaussian per cell of the front, then one per cell of the mask; rows from the top. `report` gets the share done. */
export function writeLayers(surfaces: Surfaces, report: (part: number) => void): Float32Array {
  const { camera, disparity, colours, mask, filled, gap } = surfaces
  const { width, height } = camera
  const count = mask.reduce((sum, hidden) => sum + hidden, mask.length)
  const vertices = new Float32Array(count * gaussianFloats)
  let place = 0
  const afterRow = (y: number) => {
    if (y % reportEvery === reportEvery - 1) report(place / vertices.length)
  }
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++, place += gaussianFloats) {
      const cell = { x, y, disparity: disparity.data[at] as number, enlarge: 1 }
      writeGaussian(vertices, place, camera, cell, colours, 3 * at)
    }
    afterRow(y)
  }
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (mask[at] === 0) continue
      const behind = Math.min(filled[channels * at + 3] as number, (disparity.data[at] as number) - gap)
      const cell = { x, y, disparity: Math.max(0, behind), enlarge: hiddenEnlarge }
      writeGaussian(vertices, place, camera, cell, filled, channels * at)
      place += gaussianFloats
    }
    afterRow(y)
  }
  report(1)
  return vertices
}
