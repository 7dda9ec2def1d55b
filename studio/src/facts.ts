import type { OutputFile } from './api.ts'
import type { Depths, PhotoCamera } from './camera.ts'

/** What the viewer needs of a splat file, as verification found it. */
export interface SplatFacts {
  readonly count: number | null
  readonly photo: PhotoCamera
  readonly depths: Depths
}

/** SHARP's own assumption where a file does not tell its camera: 30 mm on a square picture. */
const unknownPhoto: PhotoCamera = { width: 1536, height: 1536, focal: 1536 / (2 * Math.tan((27.015 * Math.PI) / 180)) }

/** True for files that the viewer can open. */
export function isSplat(file: OutputFile): boolean {
  return file.name.toLowerCase().endsWith('.ply')
}

/** Reads `surefoot.output.facts` loosely: a fact that is missing gets a harmless default, so the scene still opens. */
export function splatFacts(file: OutputFile): SplatFacts {
  const { facts } = file
  const image = objectIn(facts.image)
  const depths = objectIn(facts.depthQuantiles)
  const width = numberIn(image.width)
  const height = numberIn(image.height)
  const focal = numberIn(facts.focalPx)
  const near = numberIn(depths['10%']) ?? 2
  return {
    count: numberIn(facts.count),
    photo: width && height && focal ? { width, height, focal } : unknownPhoto,
    depths: { near, nearest: numberIn(depths['0.1%']) ?? near * 0.8 },
  }
}

function objectIn(value: unknown): { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null ? (value as { readonly [name: string]: unknown }) : {}
}

function numberIn(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null
}
