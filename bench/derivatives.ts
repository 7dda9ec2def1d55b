import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { convert } from '../src/derivatives/convert.ts'
import { type Ending, type Limits, noLimits, presets } from '../src/derivatives/formats.ts'
import { systemClock } from '../src/engine/clock.ts'
import { readPhoto } from '../src/providers/local/photo.ts'
import { relief } from '../src/relief/relief.ts'
import { type SharpScene, sharpVertexFloats, writeSharpPly } from '../src/splat/sharp-layout.ts'

/** SHARP's: two layers of 768 x 768. */
const count = 1_179_648

/**
 * A whole SHARP file into each format: size, seconds, processor time and peak memory of the child process. The Gaussians
 * are those that the relief makes of a sample photo (an argument names another), and the same once more a little behind,
 * until there are as many as SHARP writes: the picture's own colours, which decide how well the formats pack.
 */
export async function run(args: string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'surefoot-bench-'))
  try {
    const source = join(folder, 'scene.ply')
    const photo = await readPhoto(args[0] ?? join(import.meta.dirname, '../examples/photos/chelsea.png'))
    await pipeline(Readable.from(writeSharpPly(fill(relief(photo, photo)))), createWriteStream(source))
    const { size } = await stat(source)
    console.log(`${count.toLocaleString('en')} Gaussians, ${size.toLocaleString('en')} bytes`)
    const ways: readonly (readonly [Ending, Limits, string])[] = [
      ...(['clean.ply', 'json', 'compressed.ply', 'spz', 'sog', 'html'] as const).map(
        format => [format, noLimits, format] as const,
      ),
      ['sog', { ...noLimits, leastOpacity: 0.02 }, 'sog from 2 %'],
      ['sog', presets.phone, 'phone.sog'],
    ]
    for (const [format, limits, name] of ways) {
      const work = await mkdtemp(join(folder, 'work-'))
      const target = join(work, `made.${format}`)
      const start = performance.now()
      const done = await convert({ source, target, format, limits, folder: work }, { clock: systemClock })
      const seconds = (performance.now() - start) / 1_000
      const { size } = await stat(target)
      const cells = [
        name.padEnd(16),
        size.toLocaleString('en').padStart(12),
        `${(size / (done.splats ?? count)).toFixed(1)} B each`.padStart(12),
        `${seconds.toFixed(1)} s`.padStart(8),
        `${(done.processorMs / 1_000).toFixed(1)} s CPU`.padStart(12),
        `${(done.memoryBytes / 1024 ** 2).toFixed(0)} MiB`.padStart(10),
        `${done.splats?.toLocaleString('en')} splats`,
      ]
      console.log(`  ${cells.join('  ')}`)
      await rm(work, { recursive: true })
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function fill({ vertices, ...scene }: SharpScene): SharpScene {
  const filled = new Float32Array(count * sharpVertexFloats)
  for (let at = 0, turn = 0; at < filled.length; at += vertices.length, turn++) {
    filled.set(vertices.subarray(0, Math.min(vertices.length, filled.length - at)), at)
    // On the same ray from the camera, two per cent farther each time.
    for (let row = at; row < Math.min(at + vertices.length, filled.length); row += sharpVertexFloats)
      for (let axis = 0; axis < 3; axis++) filled[row + axis] = (filled[row + axis] ?? 0) * 1.02 ** turn
  }
  return { ...scene, vertices: filled }
}
