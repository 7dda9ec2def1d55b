import type { SplatStatistics } from './check.ts'

/**
 * What a viewer must know to stand where the photo was taken, and what every conversion loses: the photo's size, its focal
 * length, depths. Plain JSON; what the file does not say is null. Angles in degrees, lengths in the file's metres.
 */
export interface SideCar {
  readonly version: 1
  readonly splats: number
  readonly image: { readonly width: number; readonly height: number } | null
  /** Pixels of `image`. */
  readonly focal_px: number | null
  readonly vertical_fov: number | null
  readonly horizontal_fov: number | null
  /** Where the photo was taken, in the axes of the PLY: x right, y down, z forward. */
  readonly camera: { readonly position: Axis; readonly forward: Axis; readonly up: Axis }
  /** How to turn the scene for viewers whose y goes up (three.js, Spark): about x by so much. SPZ is stored turned. */
  readonly turn_about_x: { readonly ply: 180; readonly sog: 180; readonly compressed_ply: 180; readonly spz: 0 }
  /** Distance to look at, and how far the eye may go from the origin without leaving what the scene can show. */
  readonly focus: number
  readonly reach: { readonly sideways: number; readonly forward: number }
  readonly depth_quantiles: SplatStatistics['depthQuantiles']
  /** Of 1/z: 10 % and 90 %. */
  readonly disparity_quantiles: readonly [number, number] | null
  readonly bounds: SplatStatistics['bounds']
  readonly color_space: SplatStatistics['colorSpace']
}

type Axis = readonly [number, number, number]

/** The facts that a side-car is made of: a splat's statistics. */
export type SideCarFacts = Pick<
  SplatStatistics,
  'count' | 'image' | 'focalPx' | 'depthQuantiles' | 'disparityQuantiles' | 'bounds' | 'colorSpace'
>

/** SHARP's own rule: nothing is looked at from nearer (apple/ml-sharp, `utils/camera.py`). */
const nearestFocus = 2

/**
 * Makes the side-car. Focus and reach are those of SHARP's own camera paths: the eye may go aside by 8 % of the nearest
 * depth times the photo's diagonal at distance 1, forward by 15 % of it.
 */
export function toSideCar(facts: SideCarFacts): SideCar {
  const { count, image, focalPx, depthQuantiles, disparityQuantiles, bounds, colorSpace } = facts
  const nearest = depthQuantiles['0.1%']
  const fov = (side: number | undefined) =>
    side === undefined || focalPx === null ? null : (2 * Math.atan(side / (2 * focalPx)) * 180) / Math.PI
  const diagonal = image === null || focalPx === null ? 0 : Math.hypot(image.width, image.height) / focalPx
  return {
    version: 1,
    splats: count,
    image,
    focal_px: focalPx,
    vertical_fov: fov(image?.height),
    horizontal_fov: fov(image?.width),
    camera: { position: [0, 0, 0], forward: [0, 0, 1], up: [0, -1, 0] },
    turn_about_x: { ply: 180, sog: 180, compressed_ply: 180, spz: 0 },
    focus: Math.max(nearestFocus, depthQuantiles['10%']),
    reach: { sideways: 0.08 * diagonal * nearest, forward: 0.15 * nearest },
    depth_quantiles: depthQuantiles,
    disparity_quantiles: disparityQuantiles,
    bounds,
    color_space: colorSpace,
  }
}
