import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { checkSplat } from '../src/splat/check.ts'
import { sharpVertexFloats, writeSharpPly } from '../src/splat/sharp-layout.ts'

const count = 1_179_648
const rounds = 15

/** The streaming check of a whole SHARP file against reading the same file with no check, in turns in one process. */
export async function run(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'surefoot-bench-'))
  try {
    const path = join(folder, 'scene.ply')
    await pipeline(Readable.from(writeSharpPly(createScene())), createWriteStream(path))
    const { size } = await stat(path)
    const seconds: { read: number[]; check: number[] } = { read: [], check: [] }
    for (let round = 0; round <= rounds; round++) {
      const read = await time(() => readThrough(path))
      const check = await time(() => checkThrough(path, size))
      // The first round fills the page cache and lets the compiler warm up.
      if (round === 0) continue
      seconds.read.push(read)
      seconds.check.push(check)
    }
    const read = median(seconds.read)
    const check = median(seconds.check)
    const rate = (duration: number) => `${(size / duration / 1e6).toFixed(0).padStart(6)} MB/s`
    console.log(`${size.toLocaleString('en')} bytes, median of ${rounds} rounds in turns:`)
    console.log(`  read only       ${rate(read)}`)
    console.log(`  read and check  ${rate(check)}`)
    console.log(`  check / read    ${(read / check).toFixed(2)} of the speed of reading`)
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

async function time(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1_000
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
