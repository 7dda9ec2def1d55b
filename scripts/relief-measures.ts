import { type ReliefImage, shrink, toColourPlanes } from '../src/relief/analysis.ts'
import { gaussianFloats } from '../src/relief/gaussians.ts'
import { boxMean, fillPlane, type Plane } from '../src/relief/plane.ts'
import type { ReliefScene } from '../src/relief/relief.ts'
import { eyeAt, type Limits, orbitLimits, type View, visibleFrame } from '../studio/src/camera.ts'
import { type Raster, type RasterCamera, rasterise, toBytes } from './splat-raster.ts'

/** What can be told of a relief without knowing the true depth. */
export interface Measures {
  readonly gaussians: number
  /** From where the photo was taken, against the photo at the grid's size: decibels, and structural similarity 0 to 1. */
  readonly psnr: number
  readonly ssim: number
  /** Shares of the pixels of three other views, 0 to 1. Less than nine tenths opaque: one looks through the scene. */
  readonly uncovered: number
  /** A mixture of surfaces at different depths: outlines, which nobody can avoid, and whatever is torn. */
  readonly torn: number
  /** Share of the outlines' cells with the colour of the other side: shreds of the front on the back, halos of the back on the front. */
  readonly halo: number
}

/** The views of the stills: the edges of the Studio page's envelope. */
export type ViewName = 'left' | 'right' | 'up and closer'

/** Draws a scene as the Studio page shows it, from the edges of how far one may look around there. */
export function drawViews(scene: ReliefScene, longSide: number): ReadonlyMap<ViewName, Raster> {
  const { image, focalPx: focal } = scene
  const depths: number[] = []
  for (let at = 2; at < scene.vertices.length; at += gaussianFloats) depths.push(scene.vertices[at] as number)
  depths.sort((a, b) => a - b)
  const nearest = depths[Math.floor(0.001 * depths.length)] as number
  const limits = orbitLimits({ ...image, focal }, { nearest, near: 1 / scene.disparityQuantiles[1] })
  const { azimuth, elevation, focus: distance, closest } = limits
  const scale = longSide / Math.max(image.width, image.height)
  const draw = (view: View) => rasterise(scene.vertices, cameraAt(view, limits, scene, scale))
  return new Map([
    ['left', draw({ azimuth: -azimuth, elevation: 0, distance })],
    ['right', draw({ azimuth, elevation: 0, distance })],
    ['up and closer', draw({ azimuth: 0, elevation, distance: closest })],
  ])
}

function cameraAt(view: View, limits: Limits, { image, focalPx }: ReliefScene, scale: number): RasterCamera {
  // The page's axes are three's: y up, z backward.
  const [x, y, z] = eyeAt(view, limits)
  return {
    width: Math.round(image.width * scale),
    height: Math.round(image.height * scale),
    focal: (focalPx * scale) / visibleFrame,
    eye: [x, -y, -z],
    target: [0, 0, limits.focus],
  }
}

/** Measures a scene made from a photo; views are drawn with `longSide` pixels. The same arguments give the same numbers. */
export function measure(photo: ReliefImage, scene: ReliefScene, longSide: number): Measures {
  const scale = Math.min(1, 768 / Math.max(photo.width, photo.height))
  const width = Math.round(photo.width * scale)
  const height = Math.round(photo.height * scale)
  const truth = shrink(photo, width, height)
  const origin = rasterise(scene.vertices, {
    width,
    height,
    focal: (scene.focalPx * width) / scene.image.width,
    eye: [0, 0, 0],
    target: [0, 0, 1],
  })
  const drawn = Float32Array.from(toBytes(origin, 0))
  const views = [...drawViews(scene, longSide).values()]
  return {
    gaussians: scene.count,
    psnr: psnrOf(drawn, truth),
    ssim: ssimOf(toColourPlanes(drawn, width, height)[0], toColourPlanes(truth, width, height)[0]),
    uncovered: mean(views.map(view => share(view, pixel => (view.opacity[pixel] as number) < 0.9))),
    torn: mean(
      views.map(view => share(view, pixel => (view.front[pixel] as number) - (view.back[pixel] as number) > 0.05)),
    ),
    halo: haloOf(scene.vertices, width, height),
  }
}

function psnrOf(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += ((a[at] as number) - (b[at] as number)) ** 2
  return 10 * Math.log10(255 ** 2 / (sum / a.length))
}

/** Wang et al. 2004 with a window of 7 x 7 pixels. */
function ssimOf(a: Plane, b: Plane): number {
  const product = (x: Plane, y: Plane) =>
    boxMean(
      fillPlane(x, at => (x.data[at] as number) * (y.data[at] as number)),
      3,
    ).data
  const [meanA, meanB] = [boxMean(a, 3).data, boxMean(b, 3).data]
  const [squareA, squareB, both] = [product(a, a), product(b, b), product(a, b)]
  let sum = 0
  for (let at = 0; at < meanA.length; at++) {
    const x = meanA[at] as number
    const y = meanB[at] as number
    const covariance = (both[at] as number) - x * y
    const variances = (squareA[at] as number) - x * x + (squareB[at] as number) - y * y
    sum += ((2 * x * y + 1e-4) * (2 * covariance + 9e-4)) / ((x * x + y * y + 1e-4) * (variances + 9e-4))
  }
  return sum / meanA.length
}

/** Cells from a step to where a surface shows its own colour, and to where its first own cells should be. */
const inside = 5
const border = 2

/** See `Measures`. Looks along rows and columns at steps of the front layer between surfaces of clearly different colours. */
function haloOf(vertices: Float32Array, width: number, height: number): number {
  const disparity = (cell: number) => 1 / (vertices[cell * gaussianFloats + 2] as number)
  const colour = (cell: number, channel: number) => 72 * (vertices[cell * gaussianFloats + 3 + channel] as number)
  const distance = (a: number, b: number) =>
    Math.hypot(...[0, 1, 2].map(channel => colour(a, channel) - colour(b, channel)))
  let cells = 0
  let wrong = 0
  const look = (cell: number, stride: number) => {
    // The step lies between `cell` and the next one.
    const rises = disparity(cell + stride) > disparity(cell)
    const [near, far, inward] = rises ? [cell + stride, cell, stride] : [cell, cell + stride, -stride]
    if (disparity(near) - disparity(far) < 0.08) return
    const nearInside = near + inside * inward
    const farInside = far - inside * inward
    const flat = (a: number, b: number) => Math.abs(disparity(a) - disparity(b)) < 0.02
    if (!flat(near, nearInside) || !flat(far, farInside) || distance(nearInside, farInside) < 40) return
    for (const [place, own, other] of [
      [far, farInside, nearInside],
      [near + border * inward, nearInside, farInside],
    ] as const) {
      cells++
      if (distance(place, other) < distance(place, own)) wrong++
    }
  }
  for (let y = inside; y < height - inside - 1; y++)
    for (let x = inside; x < width - inside - 1; x++) {
      look(y * width + x, 1)
      look(y * width + x, width)
    }
  return cells === 0 ? 0 : wrong / cells
}

function share(view: Raster, holds: (pixel: number) => boolean): number {
  let count = 0
  for (let pixel = 0; pixel < view.opacity.length; pixel++) if (holds(pixel)) count++
  return count / view.opacity.length
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
