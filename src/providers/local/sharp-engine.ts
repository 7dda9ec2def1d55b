import { type ChildProcess, spawn } from 'node:child_process'
import { access, mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import sharp from 'sharp'
import { createFailure, refuse, SurefootError } from '../../core/failure.ts'
import type { EngineReport, RunEngine } from './engine.ts'
import { makeFinite } from './finite-splat.ts'
import { hasCode } from './folder.ts'
import { type Photo, readPhoto } from './photo.ts'
import { processorSeconds } from './processor-time.ts'
import { createLineReader } from './read-lines.ts'
import { deviceOf, failureOf, type SharpExit, stageOf } from './sharp-log.ts'
import { type SharpTarget, sharpTargetSchema, usualCommand } from './sharp-target.ts'

const tickMs = 2_000
/** After so many without a word, what it uses is told. */
const mostSilentTicks = 4
/** Less than this within a tick is what idle threads of Python take. */
const leastSeconds = 0.1
const tailCharacters = 8_000

/**
 * `surefoot/sharp` by Apple's own command line, `sharp predict`: a photo in, SHARP's PLY out. Brings no weights and never
 * fetches any. The photo is handed over as `sharp` reads photos best: the right way up, 8-bit sRGB on white, with the focal
 * length in its EXIF. Stages: `decode`, then those of `sharp-log.ts`. Fails as `failureOf` says.
 */
export const run: RunEngine = async ({ input, files, target, outputPath }, report) => {
  const settings = sharpTargetSchema.parse(target)
  const path = files.image ?? refuse('input_invalid', 'The input needs "image".')
  const focal = input.focal_length
  const folder = dirname(outputPath)
  const outputs = join(folder, 'sharp')
  report.progress('decode', 0)
  report.log("SHARP's weights are licensed by Apple for research only, no commercial use.")
  const picture = join(folder, 'photo.png')
  const photo = await readPhoto(path, {
    focalLength35mm: typeof focal === 'number' ? focal : null,
    maxSide: Number.POSITIVE_INFINITY,
  })
  await writePicture(photo, picture)
  await mkdir(outputs, { recursive: true })
  const made = join(outputs, 'photo.ply')
  const { exit, tail } = await predict(settings, ['-i', picture, '-o', outputs], folder, report)
  if (exit.code !== 0 || !(await exists(made))) throw new SurefootError(failureOf(exit, tail))
  const replaced = await makeFinite(made)
  if (replaced > 0)
    report.log(`${replaced} infinite opacities or sizes were replaced by the largest and least that show.`)
  await rename(made, outputPath)
}

async function predict(
  { command = usualCommand, device, checkpoint }: SharpTarget,
  paths: readonly string[],
  folder: string,
  report: EngineReport,
): Promise<{ exit: SharpExit; tail: string }> {
  const args = ['predict', ...paths, '--device', device ?? 'default', ...(checkpoint ? ['-c', checkpoint] : [])]
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true })
  const ended = endOf(child, command)
  let tail = ''
  let silentTicks = 0
  let refused: SurefootError | null = null
  let done = 0
  const hear = (line: string) => {
    silentTicks = 0
    const shown = line.replaceAll(folder, '.')
    tail = `${tail}${shown}\n`.slice(-tailCharacters)
    const begun = stageOf(line)
    // The two streams arrive in no order of their own.
    if (begun !== null && begun.fraction >= done) {
      done = begun.fraction
      report.progress(begun.stage, begun.fraction)
    }
    // A bar is progress, and would fill the log.
    if (begun?.stage !== 'download') report.log(shown)
    if (device !== undefined || deviceOf(line) !== 'cpu' || refused !== null) return
    refused = new SurefootError(unaskedProcessor())
    child.kill('SIGKILL')
  }
  const readers = [child.stdout, child.stderr].map(stream => {
    const reader = createLineReader(hear)
    stream.on('data', reader.add)
    return reader
  })

  // Whether it works or hangs cannot be told from a log that is silent for minutes, but from what it uses.
  let used = 0
  const watch = setInterval(() => {
    const seconds = processorSeconds(process.pid) ?? 0
    const isBusy = seconds - used >= leastSeconds
    used = seconds
    silentTicks += 1
    if (!isBusy || silentTicks < mostSilentTicks) return
    silentTicks = 0
    report.log(`sharp has used ${Math.round(seconds)} s of processor time.`)
  }, tickMs)
  try {
    const exit = await ended
    for (const reader of readers) reader.end()
    if (refused !== null) throw refused
    return { exit, tail }
  } finally {
    clearInterval(watch)
  }
}

/** Its exit after the last of its words; a command that cannot be started is refused. */
async function endOf(child: ChildProcess, command: string): Promise<SharpExit> {
  const { promise, resolve, reject } = Promise.withResolvers<SharpExit>()
  child.once('close', (code, signal) => resolve({ code, signal }))
  child.once('error', cause => {
    const why = hasCode(cause, 'ENOENT') ? 'there is no such command' : cause.message
    const failure = createFailure('deployment_missing', `"${command}" cannot be started: ${why}.`, {
      advice:
        "Install Apple's ml-sharp (github.com/apple/ml-sharp) and name the absolute path of its `sharp` as `command` in the deployment's target.",
    })
    reject(new SurefootError(failure, { cause }))
  })
  return await promise
}

function unaskedProcessor() {
  return createFailure('no_gpu', 'sharp found neither CUDA nor MPS and was about to use the processor.', {
    advice:
      'Mend the driver or the PyTorch build; or set `device: "cpu"` in the deployment\'s target, which takes minutes.',
  })
}

/**
 * PNG, because it loses nothing. From 10 mm on `FocalLength` is taken as it stands, fractions too; below, only the 35 mm
 * field is not multiplied, and that holds whole numbers. Source: apple/ml-sharp, `src/sharp/utils/io.py`.
 */
async function writePicture(photo: Photo, path: string): Promise<void> {
  const { width, height, data, focalPx } = photo
  const mm = (focalPx * Math.hypot(36, 24)) / Math.hypot(photo.originalWidth, photo.originalHeight)
  const exif: Record<string, string> =
    mm >= 10
      ? { FocalLength: `${Math.round(mm * 1000)}/1000` }
      : { FocalLengthIn35mmFilm: String(Math.max(1, Math.round(mm))) }
  await sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .png({ compressionLevel: 1 })
    .withExif({ IFD2: exif })
    .toFile(path)
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}
