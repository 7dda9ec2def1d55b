import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createTransformFiles, type Layer, loadTransform } from '../src/derivatives/transform.ts'
import { checkSplat } from '../src/splat/check.ts'
import { sharpVertexFloats, writeSharpPly } from '../src/splat/sharp-layout.ts'

const count = 1_179_648
const rounds = 40
const transform = await loadTransform()
/** Its buffers are kept from round to round, as a program that reads many files would. */
const pool = transform.createChunkDataPool()

/**
 * The streaming check of a whole SHARP file, reading the same file with no check, and splat-transform's reading of it (all
 * its columns, chunk by chunk, nothing checked but the length), in turns in one process. The fastest round counts: what
 * else runs on the machine only ever makes a round slower, and reading alone, which waits for the disk's thread, most.
 */
export async function run(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'surefoot-bench-'))
  try {
    const path = join(folder, 'scene.ply')
    await pipeline(Readable.from(writeSharpPly(createScene())), createWriteStream(path))
    const { size } = await stat(path)
    const ways = [
      { name: 'read only', work: () => readThrough(path) },
      { name: 'read and check', work: () => checkThrough(path, size) },
      { name: 'splat-transform', work: () => transformThrough(path) },
    ]
    const best = ways.map(() => ({ seconds: Number.POSITIVE_INFINITY, processor: Number.POSITIVE_INFINITY }))
    for (let round = 0; round <= rounds; round++)
      for (const [index, { work }] of ways.entries()) {
        const { seconds, processor } = await time(work)
        const entry = best[index]
        // The first round fills the page cache and lets the compiler warm up.
        if (round === 0 || entry === undefined) continue
        entry.seconds = Math.min(entry.seconds, seconds)
        entry.processor = Math.min(entry.processor, processor)
      }
    console.log(`${size.toLocaleString('en')} bytes, the fastest of ${rounds} rounds in turns:`)
    for (const [index, { name }] of ways.entries()) {
      const { seconds = 0, processor = 0 } = best[index] ?? {}
      const rate = (size / seconds / 1e6).toFixed(0).padStart(6)
      console.log(
        `  ${name.padEnd(16)}${rate} MB/s, ${(processor * 1_000).toFixed(0).padStart(3)} ms of processor time`,
      )
    }
    const [read, check, transform] = best
    const compare = (name: string, other: typeof read, measure: 'seconds' | 'processor') =>
      console.log(`  ${name.padEnd(36)}${((other?.[measure] ?? 0) / (check?.[measure] ?? 0)).toFixed(2)}`)
    compare('speed of check / of reading', read, 'seconds')
    compare('the same by processor time', read, 'processor')
    compare('speed of check / of splat-transform', transform, 'seconds')
    compare('the same by processor time', transform, 'processor')
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Values of a plausible spread: a constant file would make every branch predictable. */
function createScene() {
  const vertices = new Float32Array(count * sharpVertexFloats)
  for (let index = 0; index < count; index++) {
    const z = 1.5 + 12 * ((index * 0.618034) % 1)
    const logit = -6 + 14 * ((index * 0.7548777) % 1)
    const row = [
      (index % 768) / 768 - 0.5,
      0.5 - index / count,
      z,
      0.2,
      -0.4,
      1.1,
      logit,
      -5,
      -5.5,
      -6,
      0.5,
      0.5,
      0.5,
      0.5,
    ]
    vertices.set(row, index * sharpVertexFloats)
  }
  return { vertices, image: { width: 4032, height: 3024 }, focalPx: 3_000, disparityQuantiles: [0.08, 0.5] as const }
}

async function readThrough(path: string): Promise<void> {
  let bytes = 0
  for await (const chunk of createReadStream(path)) bytes += chunk.length
  if (bytes === 0) throw new Error('Nothing was read')
}

async function checkThrough(path: string, bytes: number): Promise<void> {
  const check = await checkSplat(createReadStream(path), { bytes })
  if (!check.valid) throw new Error(check.problem.message)
}

async function transformThrough(path: string): Promise<void> {
  const fileSystem = createTransformFiles(transform)
  const [source] = await transform.readFile({ filename: path, inputFormat: 'ply', fileSystem })
  if (source === undefined) throw new Error('Nothing was read')
  const { chunkSize, layouts, numChunks, numGaussians } = source.meta
  for (let chunkIndex = 0; chunkIndex < (numChunks[0] ?? 0); chunkIndex++) {
    const rows = Math.min(chunkSize, numGaussians - chunkIndex * chunkSize)
    const target = (layer: Layer) => {
      const layout = layouts[layer]
      if (layout === undefined) throw new Error(`The file has no ${layer}`)
      return pool.acquire(layer, layout, rows)
    }
    const data = { position: target('position'), geometric: target('geometric'), color: target('color') }
    await source.read({ chunkIndex, ...data })
    for (const chunk of Object.values(data)) chunk.release()
  }
  await source.close()
}

/** In seconds. Processor time, that of all threads, tells more on a machine that does other things as well. */
async function time(work: () => Promise<void>): Promise<{ readonly seconds: number; readonly processor: number }> {
  const start = performance.now()
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return { seconds: (performance.now() - start) / 1_000, processor: (user + system) / 1e6 }
}
