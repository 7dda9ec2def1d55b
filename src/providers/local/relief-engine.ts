import { open } from 'node:fs/promises'
import { refuse } from '../../core/failure.ts'
import { type ReliefStage, relief } from '../../relief/relief.ts'
import { type SharpScene, writeSharpPly } from '../../splat/sharp-layout.ts'
import type { RunEngine } from './engine.ts'
import { readPhoto } from './photo.ts'

/** Long side of the picture that the relief is made from; larger photos give nothing that it could keep. */
const maxSide = 1536

/** Shares of the whole work at which the stages end, as measured for a 12-megapixel JPEG. */
const decoded = 0.25
const made = 0.9

const stageNames: Readonly<Record<ReliefStage, string>> = {
  analyse: 'depth',
  depth: 'depth',
  refine: 'depth',
  background: 'layers',
  gaussians: 'layers',
}

/** `surefoot/relief`: a photo in, a splat in SHARP's layout out. Stages: `decode`, `depth`, `layers`, `write`. */
export const run: RunEngine = async ({ input, files, outputPath }, report) => {
  const path = files.image ?? refuse('input_invalid', 'The input needs "image".')
  const focal = input.focal_length
  report.progress('decode', 0)
  const photo = await readPhoto(path, { focalLength35mm: typeof focal === 'number' ? focal : null, maxSide })
  report.log(
    `Photo of ${photo.originalWidth} x ${photo.originalHeight} pixels, focal length ${photo.focalPx.toFixed(1)} pixels (${photo.focalSource}).`,
  )
  report.progress('depth', decoded)
  const scene = relief(photo, {
    focalPx: photo.focalPx,
    originalWidth: photo.originalWidth,
    originalHeight: photo.originalHeight,
    onStage: (stage, fraction) => report.progress(stageNames[stage], decoded + (made - decoded) * fraction),
  })
  await write(scene, outputPath, fraction => report.progress('write', made + (1 - made) * fraction))
  report.log(`${scene.count} Gaussians written.`)
}

async function write(scene: SharpScene, path: string, onProgress: (fraction: number) => void): Promise<void> {
  const file = await open(path, 'w')
  let bytes = 0
  try {
    for (const piece of writeSharpPly(scene, ['Made by Surefoot relief, a preview without a network; not SHARP'])) {
      await file.writeFile(piece)
      bytes += piece.length
      onProgress(Math.min(1, bytes / scene.vertices.byteLength))
    }
  } finally {
    await file.close()
  }
}
