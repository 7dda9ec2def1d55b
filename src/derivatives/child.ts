import { createReadStream, createWriteStream } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Worker } from 'node:worker_threads'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import { checkSplat } from '../splat/check.ts'
import { type SanitiseCounts, sanitiseSplat } from '../splat/sanitise.ts'
import { type SideCar, toSideCar } from '../splat/side-car.ts'
import type { Ending } from './formats.ts'
import { createTransformFiles, loadTransform, type Transform } from './transform.ts'
import { toViewerSettings } from './viewer-page.ts'
import type { ConversionJob, ConversionLine, ConversionProgress } from './wire.ts'

/** splat-transform's names, and its options for each. SPZ in version 3: few viewers open 4. */
const written: { readonly [ending in Ending]?: string } = {
  sog: 'sog-bundle',
  'compressed.ply': 'compressed-ply',
  spz: 'spz',
  'clean.ply': 'ply',
  html: 'html-bundle',
}

const pieceBytes = 1024 * 1024

const job = JSON.parse(process.argv[2] ?? '{}') as ConversionJob

const watch = new Worker(new URL(`./parent-watch${extname(import.meta.url)}`, import.meta.url), {
  workerData: { folder: job.folder },
})

try {
  const { counts, splats } = job.format === 'webp' ? await makePoster() : await convert()
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  const processorMs = Math.round((userCPUTime + systemCPUTime) / 1000)
  say({ kind: 'done', counts, splats, memoryBytes: maxRSS * 1024, processorMs })
} catch (error) {
  const failure = SurefootError.is(error) ? error.failure : createFailure('internal', explain(error))
  const status = SurefootError.is(error) ? error.status : undefined
  say({
    kind: 'failed',
    code: failure.code,
    message: failure.message,
    advice: failure.advice,
    ...(status && { status }),
  })
}
await watch.terminate()

function say(line: ConversionLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function progress(stage: ConversionProgress['stage'], fraction: number | null): void {
  say({ kind: 'progress', stage, fraction })
}

/** A render from where the photo was taken is the photo: smaller, upright, in sRGB, without what it says of its owner. */
async function makePoster(): Promise<{ counts: null; splats: null }> {
  const { default: sharp } = await import('sharp')
  progress('write', null)
  const poster = await sharp(job.source, { failOn: 'none' })
    .rotate()
    .resize({ width: 1280, height: 1280, fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .webp({ quality: 82 })
    .toBuffer()
    .catch((cause: Error) =>
      refuse('input_invalid', `The photo cannot be decoded: ${cause.message.split('\n')[0]}.`, { cause }),
    )
  await writeFile(job.target, poster)
  return { counts: null, splats: null }
}

async function convert(): Promise<{ counts: SanitiseCounts; splats: number }> {
  const { format, limits } = job
  const isPlain = format === 'clean.ply' && limits.mostSplats === null
  const clean = isPlain ? job.target : join(job.folder, 'clean.ply')
  const counts = await writeClean(clean, format === 'clean.ply')
  if (isPlain) return { counts, splats: counts.kept }
  const sideCar = format === 'json' || format === 'html' ? toSideCar(await readStatistics(clean)) : null
  if (format === 'json') {
    await writeFile(job.target, `${JSON.stringify(sideCar, null, 2)}\n`)
    return { counts, splats: counts.kept }
  }
  const splats = await writeConverted(await loadTransform(), clean, sideCar)
  return { counts, splats }
}

async function writeClean(path: string, stripExtras: boolean): Promise<SanitiseCounts> {
  progress('clean', 0)
  const { size } = await stat(job.source)
  const open = () => createReadStream(job.source, { highWaterMark: pieceBytes })
  const clean = await sanitiseSplat(open, { bytes: size, stripExtras, leastOpacity: job.limits.leastOpacity })
  if (clean.kind === 'problem') {
    const { code, message } = clean.problem
    throw new SurefootError(
      createFailure('input_invalid', code === 'no_splats' ? message : `No splat that can be converted: ${message}`),
    )
  }
  progress('clean', 0.5)
  await pipeline(clean.pieces(), createWriteStream(path, { flags: 'wx' }))
  return clean.counts
}

async function readStatistics(path: string) {
  const check = await checkSplat(createReadStream(path, { highWaterMark: pieceBytes }))
  if (!check.valid) throw new SurefootError(createFailure('input_invalid', check.problem.message))
  return check.statistics
}

async function writeConverted(transform: Transform, path: string, sideCar: SideCar | null): Promise<number> {
  const { format, limits } = job
  // One thread: the gateway has counted one processor for this.
  transform.WorkerQueue.maxWorkers = 0
  transform.logger.setRenderer({ handle: () => {} })
  const files = createTransformFiles(transform)
  const pool = transform.createChunkDataPool()
  const [read] = await transform.readFile({ filename: path, inputFormat: 'ply', fileSystem: files })
  if (read === undefined) throw new Error('splat-transform read nothing')
  let source = read
  if (limits.mostSplats !== null && source.meta.numGaussians > limits.mostSplats) {
    progress('merge', null)
    const decimate = { kind: 'decimate', count: limits.mostSplats, percent: null }
    source = await transform.processSourceBridged(source, [decimate], pool)
  }
  // The format's axes are x right, y up, z back (https://github.com/nianticlabs/spz); since 3.0 splat-transform leaves the
  // PLY's there, which viewers that follow the format show upside down.
  if (format === 'spz') {
    const turn = { kind: 'rotate', value: { x: 180, y: 0, z: 0 } }
    source = await transform.processSourceBridged(source, [turn], pool)
  }
  progress('write', null)
  const options = {
    ...(format === 'spz' ? { spzVersion: 3 } : {}),
    ...(sideCar === null ? {} : { viewerSettingsJson: toViewerSettings(sideCar) }),
  }
  const outputFormat = written[format] ?? format
  const splats = source.meta.numGaussians
  await transform.writeSource({ filename: job.target, outputFormat, source, pool, options }, files)
  await source.close()
  return splats
}

function explain(error: unknown): string {
  return `The conversion failed: ${error instanceof Error ? error.message : String(error)}`
}
