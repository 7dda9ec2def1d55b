import { mkdir, readdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import sharp from 'sharp'
import { type Photo, readPhoto } from '../src/providers/local/photo.ts'
import { type ReliefScene, relief } from '../src/relief/relief.ts'
import { visibleFrame } from '../studio/src/camera.ts'
import { drawViews, type Measures, measure } from './relief-measures.ts'
import { toBytes } from './splat-raster.ts'

/** Photos that may be shipped; `docs/relief.md` says whose they are. */
export const samples: string = join(import.meta.dirname, '../examples/photos')

/** Long side of each of the four pictures of a still, and of the views that are measured, in pixels. */
export const viewSide = 512

/** Makes a photo's relief as the local engine does. */
export async function makeRelief(path: string): Promise<{ photo: Photo; scene: ReliefScene }> {
  const photo = await readPhoto(path)
  return { photo, scene: relief(photo, photo) }
}

/** A row of the table that `docs/relief.md` shows. */
export function describeMeasures(name: string, measures: Measures): string {
  const percent = (part: number) => `${(100 * part).toFixed(2)} %`
  const cells = [
    name,
    measures.gaussians.toLocaleString('en'),
    `${measures.psnr.toFixed(1)} dB`,
    measures.ssim.toFixed(3),
    percent(measures.uncovered),
    percent(measures.torn),
    percent(measures.halo),
  ]
  return `| ${cells.join(' | ')} |`
}

const heading = `| photo | splats | PSNR | SSIM | uncovered | torn | halo |
| --- | --- | --- | --- | --- | --- | --- |`

/** The photo and three views, two by two: photo, from the left, from the right, from above and closer. */
async function writeStill(photo: Photo, scene: ReliefScene, path: string): Promise<void> {
  const views = [...drawViews(scene, viewSide).values()]
  const { width, height } = views[0] ?? { width: 0, height: 0 }
  const raw = { width: photo.width, height: photo.height, channels: 3 } as const
  // As much of the photo as a viewer shows of it.
  const crop = { width: Math.round(photo.width * visibleFrame), height: Math.round(photo.height * visibleFrame) }
  const input = await sharp(photo.data, { raw })
    .extract({
      ...crop,
      left: Math.floor((photo.width - crop.width) / 2),
      top: Math.floor((photo.height - crop.height) / 2),
    })
    .resize(width, height, { fit: 'fill' })
    .raw()
    .toBuffer()
  const tiles = [input, ...views.map(view => Buffer.from(toBytes(view, 0)))]
  const gap = 4
  const background = '#ffffff'
  await sharp({ create: { width: 2 * width + gap, height: 2 * height + gap, channels: 3, background } })
    .composite(
      tiles.map((tile, index) => ({
        input: tile,
        raw: { width, height, channels: 3 },
        left: (index % 2) * (width + gap),
        top: Math.floor(index / 2) * (height + gap),
      })),
    )
    .webp({ quality: 80, effort: 6 })
    .toFile(path)
}

/**
 * Without arguments: makes the stills of `docs/relief.md` from the samples and prints its table. With a folder and photos:
 * the same for these.
 */
async function main([folder, ...paths]: readonly string[]): Promise<void> {
  const target = folder ?? join(import.meta.dirname, '../docs/images')
  const photos = folder === undefined ? (await readdir(samples)).sort().map(name => join(samples, name)) : paths
  await mkdir(target, { recursive: true })
  console.log(heading)
  for (const path of photos) {
    const name = basename(path, extname(path))
    const { photo, scene } = await makeRelief(path)
    await writeStill(photo, scene, join(target, `relief-${name}.webp`))
    console.log(describeMeasures(name, measure(photo, scene, viewSide)))
  }
}

if (import.meta.main) await main(process.argv.slice(2))
