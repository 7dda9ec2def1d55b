import { analyse, type ReliefImage, shrink, toColourPlanes } from './analysis.ts'
import { estimateDisparity } from './depth.ts'
import { sharpenEdges } from './edges.ts'
import { farMetres, gaussianFloats, nearMetres, toMetres } from './gaussians.ts'
import { findHidden, partColours } from './hidden.ts'
import { writeLayers } from './layers.ts'
import { quantiles } from './plane.ts'
import { refineDisparity } from './refine.ts'
import { findSky } from './sky.ts'

/** Grows whenever the same photo gives another scene. */
export const reliefRecipe = 2

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

/** Where each stage lies in the whole work, as measured. */
const spans: Readonly<Record<ReliefStage, readonly [from: number, to: number]>> = {
  analyse: [0, 0.06],
  depth: [0.06, 0.25],
  refine: [0.25, 0.8],
  background: [0.8, 0.91],
  gaussians: [0.91, 1],
}

/** Gaussians along the long side, as SHARP has them: one per 2 x 2 pixels of a photo of 1536, one per pixel below 768. */
const gridSide = 768

/** SHARP lets the eye move sideways by this share of the nearest depth times the diagonal field of view. */
const envelope = 0.08

/** An eye that comes closer while it moves sideways uncovers more than `reach` says. */
const uncovering = 1.5

/**
 * Makes a relief of one photo without a network: depth from classical cues (ground, sky, saliency, focus, haze), a front
 * layer of at most 768 x 768 Gaussians, a second layer behind depth edges, and coarse surroundings of both. The same bytes give the same scene. Metres
 * are invented: one photo does not tell its scale. Never fails for an image of at least one pixel.
 */
export function relief(image: ReliefImage, options: ReliefOptions): ReliefScene {
  const { focalPx, originalWidth, originalHeight } = options
  const done = (stage: ReliefStage, part = 1) => {
    const [from, to] = spans[stage]
    options.onStage?.(stage, from + (to - from) * part)
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
  const refined = refineDisparity(analysis, coarse, sky, toColourPlanes(colours, width, height), reach)
  done('refine', 0.7)
  const disparity = sharpenEdges(refined, colours, reach)
  done('refine')

  const hidden = findHidden(disparity, uncovering * reach)
  const parted = partColours(hidden, disparity, colours)
  done('background')

  const camera = {
    width,
    height,
    focalX: (focalPx * width) / originalWidth,
    focalY: (focalPx * height) / originalHeight,
  }
  const vertices = writeLayers({ camera, disparity, hidden, colours: parted, reach }, part => done('gaussians', part))
  const [low = 0, high = 0] = quantiles(disparity.data, [0.1, 0.9])
  return {
    vertices,
    count: vertices.length / gaussianFloats,
    image: { width: originalWidth, height: originalHeight },
    focalPx,
    disparityQuantiles: [1 / toMetres(low), 1 / toMetres(high)],
  }
}
