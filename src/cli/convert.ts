import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { refuse } from '../core/failure.ts'
import { type Ending, formatOf, formats, type Limits, noLimits, type Preset, presets } from '../derivatives/formats.ts'
import type { ConversionProgress, Converted } from '../derivatives/wire.ts'
import { type Command, parseOptions, readWholeNumber, UsageError } from './command.ts'
import { formatBytes, formatCount, formatDuration, formatProgress } from './format.ts'
import { watchInterrupts } from './interrupts.ts'
import { type Io, say } from './io.ts'
import { clearLine } from './progress-line.ts'
import { checkTarget } from './save-output.ts'

const usage = `Usage: surefoot convert SPLAT.ply FILE [OPTIONS]
       surefoot convert PHOTO POSTER.webp [OPTIONS]

Turns a splat PLY into another format, which the ending of FILE names:

${formats.map(({ ending, label }) => `  .${ending.padEnd(14)} ${label}\n`).join('')}
NaN and infinities are mended or left out on the way. .clean.ply and .json need nothing else; the others need
@playcanvas/splat-transform beside Surefoot. A poster (.webp) is made of a photo: JPEG, PNG, WebP, AVIF or HEIC.

  --preset NAME        phone: nothing below 2 % opacity, at most 500,000 splats
  --least-opacity N    Leave out splats of less opacity, 0 to 1
  --most-splats N      Merge splats until so many are left; half a minute for a million
  --force              Replace FILE where it exists
  --json               Print what was done as JSON
`

const options = {
  preset: { type: 'string' },
  'least-opacity': { type: 'string' },
  'most-splats': { type: 'string' },
  force: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const

/** `surefoot convert`: a splat file to another, or a photo to its poster, without a gateway. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const [from, to, more] = positionals
    if (from === undefined || to === undefined) throw new UsageError('Name a splat PLY, and the file to make of it.')
    if (more !== undefined) throw new UsageError(`"${more}" is one argument too many.`)
    const format = formatOf(to)
    if (format === null) {
      const endings = formats.map(({ ending }) => `.${ending}`).join(', ')
      throw new UsageError(`"${basename(to)}" ends as no format does; there are: ${endings}.`)
    }
    const limits = readLimits(values)
    const [source, target] = [resolve(io.cwd, from), resolve(io.cwd, to)]
    await checkSource(source, format.of === 'photo' ? 'a photo' : 'a splat PLY')
    checkTarget(target, values.force)
    const interrupts = watchInterrupts(io)
    const beganAt = performance.now()
    try {
      const work = makeFile(io, { source, target, format: format.ending, limits }, interrupts.first)
      const done = await Promise.race([work, interrupts.second])
      if (typeof done === 'number') return done
      const { size } = await stat(target)
      const tookMs = performance.now() - beganAt
      if (values.json) say(io.stdout, JSON.stringify({ path: target, bytes: size, ...done }))
      else report(io, { target, size, tookMs, ...done })
      return 0
    } catch (error) {
      if (!interrupts.first.aborted) throw error
      say(io.stderr, 'Canceled.')
      return 130
    } finally {
      interrupts.stop()
    }
  },
}

function readLimits(values: ReturnType<typeof parseOptions<typeof options>>['values']): Limits {
  const { preset, 'least-opacity': opacity, 'most-splats': most } = values
  if (preset !== undefined && !Object.hasOwn(presets, preset))
    throw new UsageError(`There is no preset "${preset}"; there are: ${Object.keys(presets).join(', ')}.`)
  const named = preset === undefined ? noLimits : presets[preset as Preset]
  if (opacity !== undefined && !(/^[01]?(\.\d+)?$/.test(opacity) && Number(opacity) < 1))
    throw new UsageError(`--least-opacity takes a number from 0 to less than 1, not "${opacity}".`)
  return {
    leastOpacity: opacity === undefined ? named.leastOpacity : Number(opacity),
    mostSplats: readWholeNumber('--most-splats', most, { from: 1, to: 1e9 }) ?? named.mostSplats,
  }
}

async function checkSource(path: string, what: string): Promise<void> {
  const found = await stat(path).catch(() => null)
  if (!found?.isFile()) refuse('input_invalid', `There is no file ${path}.`, { advice: `Name ${what}.` })
}

interface Job {
  readonly source: string
  readonly target: string
  readonly format: Ending
  readonly limits: Limits
}

/** Made under another name in the target's folder, so that the target is never half a file. */
async function makeFile(io: Io, { target, ...job }: Job, signal: AbortSignal): Promise<Converted> {
  const [{ convert }, { systemClock }] = await Promise.all([
    import('../derivatives/convert.ts'),
    import('../engine/clock.ts'),
  ])
  const folder = await mkdtemp(join(dirname(target), '.surefoot-convert-'))
  const isTerminal = io.stderr.isTTY === true
  const onProgress = ({ stage, fraction }: ConversionProgress) => {
    if (isTerminal) io.stderr.write(`${clearLine}${formatProgress(stage, fraction)}`)
  }
  try {
    const made = join(folder, `made.${job.format}`)
    // The clock's timers keep no process alive, but the child's pipes do.
    const source = job.format === 'webp' ? await preparePhoto(job.source, folder, signal) : job.source
    const done = await convert({ ...job, source, target: made, folder }, { clock: systemClock, signal, onProgress })
    await rename(made, target)
    return done
  } finally {
    if (isTerminal) io.stderr.write(clearLine)
    await rm(folder, { recursive: true, force: true })
  }
}

/** The photo as a prediction would take it: refused in the same words, HEIC as JPEG in the folder. */
async function preparePhoto(path: string, folder: string, signal: AbortSignal): Promise<string> {
  const [{ createImageInput }, { openRange }] = await Promise.all([
    import('../models/image-input.ts'),
    import('../files/read-file.ts'),
  ])
  const open = async (range?: { start: number; end?: number }) =>
    (await openRange(path, range)) ?? refuse('input_invalid', `The file ${path} is gone.`)
  const { size } = await stat(path)
  const photo = await createImageInput('image').check({ bytes: size, open })
  if (photo.convert === undefined) return path
  const { convertHeic } = await import('../photos/convert-heic.ts')
  const upright = join(folder, 'photo.jpg')
  await writeFile(upright, convertHeic((await open()).body, signal))
  return upright
}

function report(
  io: Io,
  done: Converted & { readonly target: string; readonly size: number; readonly tookMs: number },
): void {
  const { target, size, tookMs, counts, splats } = done
  const what = splats === null ? '' : `${formatCount(splats)} splats, `
  say(io.stdout, `${target}: ${what}${formatBytes(size)} in ${formatDuration(tookMs)}`)
  if (counts === null) return
  const { dropped, changed } = counts
  const useless = dropped.nonFinite + dropped.unturned
  const notes = [
    ...(useless > 0 ? [`${formatCount(useless)} that were no splats are left out`] : []),
    ...(dropped.faint > 0 ? [`${formatCount(dropped.faint)} too faint are left out`] : []),
    ...(changed.opacity > 0 ? [`${formatCount(changed.opacity)} opacities clamped`] : []),
    ...(changed.scale > 0 ? [`${formatCount(changed.scale)} extents clamped`] : []),
    ...(changed.rotation > 0 ? [`${formatCount(changed.rotation)} rotations normalised`] : []),
  ]
  if (notes.length > 0) say(io.stderr, `Of ${formatCount(counts.splats)} splats: ${notes.join(', ')}.`)
}
