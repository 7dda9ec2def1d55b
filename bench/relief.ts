import { createWriteStream } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import sharp from 'sharp'
import { readPhoto } from '../src/providers/local/photo.ts'
import { relief } from '../src/relief/relief.ts'
import { writeSharpPly } from '../src/splat/sharp-layout.ts'

/**
 * A photo to a PLY on disk, in one process: seconds by stage. The 12-megapixel photo comes first, when nothing is warm
 * yet, as in a fresh worker. Arguments are more photos.
 */
export async function run(args: string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'surefoot-bench-'))
  try {
    const large = join(folder, '12-megapixels.jpg')
    await writeFile(large, await createLargePhoto())
    const samples = join(import.meta.dirname, '../examples/photos')
    const photos = (await readdir(samples)).map(name => join(samples, name))
    for (const path of [large, ...photos, ...args, large]) await measure(path, join(folder, 'scene.ply'))
    console.log(`peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function measure(path: string, output: string): Promise<void> {
  const start = performance.now()
  const times = new Map<string, number>()
  let last = start
  const lap = (stage: string) => {
    const now = performance.now()
    times.set(stage, (times.get(stage) ?? 0) + now - last)
    last = now
  }
  const photo = await readPhoto(path)
  lap('decode')
  const scene = relief(photo, { ...photo, onStage: lap })
  await pipeline(Readable.from(writeSharpPly(scene)), createWriteStream(output))
  lap('write')
  const stages = [...times].map(([stage, ms]) => `${stage} ${(ms / 1_000).toFixed(2)}`).join(', ')
  const size = `${photo.originalWidth} x ${photo.originalHeight}`
  console.log(
    `${basename(path)} (${size}): ${((last - start) / 1_000).toFixed(2)} s, ${scene.count} Gaussians (${stages})`,
  )
}

/** Sky, ground and a few hundred shapes: enough structure for every cue to have work to do. */
async function createLargePhoto(): Promise<Buffer> {
  const [width, height] = [4000, 3000]
  const shapes = Array.from({ length: 400 }, (_, index) => {
    const x = (index * 0.618034 * width) % width
    const y = height * (0.35 + 0.6 * ((index * 0.7548777) % 1))
    const hue = (index * 137) % 360
    return `<rect x="${x}" y="${y - 200}" width="90" height="240" fill="hsl(${hue},50%,45%)"/>`
  })
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <linearGradient id="sky" x2="0" y2="1"><stop stop-color="#59d"/><stop offset="1" stop-color="#def"/></linearGradient>
    <rect width="100%" height="100%" fill="#786a50"/><rect width="100%" height="40%" fill="url(#sky)"/>${shapes.join('')}
  </svg>`
  const noise = {
    width,
    height,
    channels: 3,
    background: '#000',
    noise: { type: 'gaussian', mean: 128, sigma: 12 },
  } as const
  const grain = await sharp({ create: noise }).png({ compressionLevel: 0 }).toBuffer()
  return sharp(Buffer.from(svg))
    .composite([{ input: grain, blend: 'soft-light' }])
    .jpeg({ quality: 90 })
    .toBuffer()
}
