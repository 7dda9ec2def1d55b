import { analyse, type ReliefImage, shrink, toColourPlanes } from './analysis.ts'
import { enlargeDisparity, estimateDisparity, refineDisparity } from './depth.ts'
import { sharpenEdges } from './edges.ts'
import { farMetres, gaussianFloats, nearMetres, toMetres, writeGaussian } from './gaussians.ts'
import { findHidden, findWitnesses } from './hidden.ts'
import { quantiles } from './plane.ts'
import { channels, pushPull } from './push-pull.ts'
import { findSky } from './sky.ts'

/** Grows whenever the same photo gives another scene. */
export const reliefRecipe = 1

export type ReliefStage = 'analyse' | 'depth' | 'refine' | 'background' | 'gaussians'

export interface ReliefOptions {
  /** Focal length in pixels of the original photo. */
  readonly focalPx: number
  /** Size of the photo before it was made smaller, in pixels. */
  readonly originalWidth: number
  readonly originalHeight: number
  /** Called when a stage or a part of it is done. `fraction` is the share of the whole work, 0 to 1; it never falls. */
  readonly onStage?: (stage: ReliefStage, fraction: number) => void
}

/** A scene in the terms of SHARP's file layout. */
export interface ReliefScene {
  /** 14 floats per Gaussian; the front layer's come first, each layer in rows from the top. */
  readonly vertices: Float32Array
  readonly count: number
  /** Size of the original photo in pixels. */
  readonly image: { readonly width: number; readonly height: number }
  readonly focalPx: number
  /** 10 % and 90 % quantile of 1/z of the front layer. */
  readonly disparityQuantiles: readonly [number, number]
}

/** Share of the whole work that is done at the end of each stage, as measured. */
const shares: Readonly<Record<ReliefStage, number>> = {
  analyse: 0.1,
  depth: 0.25,
  refine: 0.5,
  background: 0.75,
  gaussians: 1,
}

/** Gaussians along the long side, as SHARP has them: one per 2 x 2 pixels of a photo of 1536, one per pixel below 768. */
const gridSide = 768

/** SHARP lets the eye move sideways by this share of the nearest depth times the diagonal field of view. */
const envelope = 0.08

/** The second layer's Gaussians are wider: it is seen at angles that the photo did not see. */
const hiddenEnlarge = 1.5

/**
 * Makes a relief of one photo without a network: depth from classical cues (ground, sky, saliency, focus, haze), a front
 * layer of at most 768 x 768 Gaussians, and a second layer behind depth edges. The same bytes give the same scene. Metres are
 * invented: one photo does not tell its scale. Never fails for an image of at least one pixel.
 */
export function relief(image: ReliefImage, options: ReliefOptions): ReliefScene {
  const { focalPx, originalWidth, originalHeight } = options
  const done = (stage: ReliefStage, part = 1) => {
    const stages = Object.keys(shares) as ReliefStage[]
    const before = shares[stages[stages.indexOf(stage) - 1] ?? stage]
    const start = stage === stages[0] ? 0 : before
    options.onStage?.(stage, start + (shares[stage] - start) * part)
  }
  const analysis = analyse(image)
  const scale = Math.min(1, gridSide / Math.max(image.width, image.height))
  const width = Math.max(1, Math.round(image.width * scale))
  const height = Math.max(1, Math.round(image.height * scale))
  const colours = shrink(image, width, height)
  const sky = findSky(analysis)
  done('analyse')

  const coarse = estimateDisparity(analysis, sky)
  done('depth')

  const reach = Math.max(1, envelope * Math.hypot(width, height) * (1 - nearMetres / farMetres))
  const disparity = sharpenEdges(
    enlargeDisparity(refineDisparity(analysis, coarse, sky), toColourPlanes(colours, width, height)),
    reach,
  )
  done('refine')

  const hidden = findHidden(disparity, reach)
  const filled = fillHidden(width, height, colours, disparity.data, findWitnesses(hidden, disparity))
  done('background')

  const cells = width * height
  const camera = {
    width,
    height,
    focalX: (focalPx * width) / originalWidth,
    focalY: (focalPx * height) / originalHeight,
  }
  const count = cells + hidden.mask.reduce((sum, value) => sum + value, 0)
  const vertices = new Float32Array(count * gaussianFloats)
  let place = 0
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++, place += gaussianFloats) {
      const cell = { x, y, disparity: disparity.data[at] as number, enlarge: 1 }
      writeGaussian(vertices, place, camera, cell, colours, 3 * at)
    }
    if (y % 64 === 63) done('gaussians', (y * cells) / height / count)
  }
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      if (hidden.mask[at] === 0) continue
      const behind = Math.min(filled[channels * at + 3] as number, (disparity.data[at] as number) - 1 / reach)
      const cell = { x, y, disparity: Math.max(0, behind), enlarge: hiddenEnlarge }
      writeGaussian(vertices, place, camera, cell, filled, channels * at)
      place += gaussianFloats
    }
  done('gaussians')
  const [low = 0, high = 0] = quantiles(disparity.data, [0.1, 0.9])
  return {
    vertices,
    count,
    image: { width: originalWidth, height: originalHeight },
    focalPx,
    disparityQuantiles: [1 / toMetres(low), 1 / toMetres(high)],
  }
}

/** Spreads colour and disparity of the witnesses over the whole grid. */
function fillHidden(
  width: number,
  height: number,
  colours: Float32Array,
  disparity: Float32Array,
  witnesses: Uint8Array,
): Float32Array {
  const values = new Float32Array(width * height * channels)
  for (let at = 0; at < disparity.length; at++) {
    for (let channel = 0; channel < 3; channel++) values[channels * at + channel] = colours[3 * at + channel] as number
    values[channels * at + 3] = disparity[at] as number
  }
  pushPull(width, height, values, Float32Array.from(witnesses))
  return values
}
