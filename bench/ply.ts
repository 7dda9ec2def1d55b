import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createTransformFiles, type Layer, loadTransform } from '../src/derivatives/transform.ts'
import { checkSplat } from '../src/splat/check.ts'
import { sharpVertexFloats, writeSharpPly } from '../src/splat/sharp-layout.ts'

const count = 1_179_648
const rounds = 40

/**
 * The streaming check of a whole SHARP file and reading the same file with no check, in turns in one process; then, in a
 * process of its own, because its garbage would be the others' to clean up, splat-transform's reading (all columns, chunk by
 * chunk, nothing checked but the length). The fastest round counts: what else runs on the machine only ever makes a round slower.
 */
export async function run([only, path]: string[]): Promise<void> {
  if (only === 'transform' && path !== undefined) {
    const [best] = await measure([await createTransform(path)])
    console.log(JSON.stringify(best))
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'surefoot-bench-'))
  try {
    const path = join(folder, 'scene.ply')
    await pipeline(Readable.from(writeSharpPly(createScene())), createWriteStream(path))
    const { size } = await stat(path)
    const [read, check] = await measure([() => readThrough(path), () => checkThrough(path, size)])
    const main = join(import.meta.dirname, 'main.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [main, 'ply', 'transform', path])
    const transform = JSON.parse(stdout) as Best
    if (read === undefined || check === undefined) throw new Error('Nothing was measured')
    console.log(`${size.toLocaleString('en')} bytes, the fastest of ${rounds} rounds:`)
    for (const [name, { seconds, processor }] of Object.entries({ read, check, transform })) {
      const rate = (size / seconds / 1e6).toFixed(0).padStart(6)
      console.log(
        `  ${names[name]?.padEnd(16)}${rate} MB/s, ${(processor * 1_000).toFixed(0).padStart(3)} ms of processor time`,
      )
    }
    const compare = (what: string, other: Best, measure: keyof Best) =>
      console.log(`  ${what.padEnd(36)}${(other[measure] / check[measure]).toFixed(2)}`)
    compare('speed of check / of reading', read, 'seconds')
    compare('the same by processor time', read, 'processor')
    compare('speed of check / of splat-transform', transform, 'seconds')
    compare('the same by processor time', transform, 'processor')
  } finally {
    await rm(folder, { recursive: true })
  }
}

const names: { readonly [way: string]: string } = {
  read: 'read only',
  check: 'read and check',
  transform: 'splat-transform',
}

/** In seconds. Processor time, that of all threads, tells more on a machine that does other things as well. */
interface Best {
  seconds: number
  processor: number
}

async function measure(ways: readonly (() => Promise<void>)[]): Promise<readonly Best[]> {
  const best = ways.map((): Best => ({ seconds: Number.POSITIVE_INFINITY, processor: Number.POSITIVE_INFINITY }))
  for (let round = 0; round <= rounds; round++)
    for (const [index, work] of ways.entries()) {
      const { seconds, processor } = await time(work)
      const entry = best[index]
      // The first round fills the page cache and lets the compiler warm up.
      if (round === 0 || entry === undefined) continue
      entry.seconds = Math.min(entry.seconds, seconds)
      entry.processor = Math.min(entry.processor, processor)
    }
  return best
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

async function createTransform(path: string): Promise<() => Promise<void>> {
  const transform = await loadTransform()
  // Its buffers are kept from round to round, as a program that reads many files would.
  const pool = transform.createChunkDataPool()
  return async () => {
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
}

async function time(work: () => Promise<void>): Promise<Best> {
  const start = performance.now()
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return { seconds: (performance.now() - start) / 1_000, processor: (user + system) / 1e6 }
}
