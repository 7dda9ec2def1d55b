import { statSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { suggest } from '../config/refuse-config.ts'
import { refuse, SurefootError } from '../core/failure.ts'
import { isTerminal } from '../core/prediction.ts'
import { formatOf, listDerivatives } from '../derivatives/formats.ts'
import type { PredictionJson } from '../http/shapes.ts'
import { isGone } from './client.ts'
import { type Command, onlyArgument, parseOptions, readWholeNumber, UsageError } from './command.ts'
import { type Connection, connect } from './connection.ts'
import { findModel } from './find-model.ts'
import { findPhoto } from './find-photo.ts'
import { formatBytes, formatDuration, formatOutput } from './format.ts'
import { type Interrupts, watchInterrupts } from './interrupts.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { clearLine, createProgressLine } from './progress-line.ts'
import { checkTarget, saveOutput } from './save-output.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'
import { settle } from './settle.ts'

const usage = `Usage: surefoot predict PHOTO [-o FILE] [OPTIONS]

Turns a photo (JPEG, PNG, WebP, AVIF, HEIC) into a 3D Gaussian splat: through the gateway that has the data folder, else by
opening the folder itself. Ctrl-C cancels.

  -o, --output FILE    Where the splat goes (default: the photo's name with .ply, in this folder)
  --format NAME        sog, compressed.ply, spz, clean.ply, html, phone.sog, json, webp (default: as FILE ends, else the PLY)
  --force              Replace that file where it exists
  --model NAME         relief, owner/name (default: the first model of the config, relief without one)
  --focal-length MM    Of the lens, as on a 35 mm film camera (default: as the photo says, else 30)
  --timeout S          Seconds after which to give up
  --json               Print the prediction as JSON
${placeUsage}`

const options = {
  ...placeOptions,
  output: { type: 'string', short: 'o' },
  format: { type: 'string' },
  force: { type: 'boolean', default: false },
  model: { type: 'string' },
  'focal-length': { type: 'string' },
  timeout: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const

/** `surefoot predict`: one photo to one file. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const job = readJob(io, onlyArgument(positionals, 'The photo'), values)
    const config = await loadSettings(io, values)
    const interrupts = watchInterrupts(io)
    try {
      const log = createLog(io.stderr, config.logLevel)
      const work = connect({ config, log, signal: interrupts.first }).then(connection =>
        predict(io, connection, job, interrupts).finally(connection.close),
      )
      return await Promise.race([work, interrupts.second])
    } finally {
      interrupts.stop()
    }
  },
}

interface Job {
  readonly photo: string
  readonly target: string
  /** Ending of a file that is made of the output, or null for the output itself. */
  readonly format: string | null
  readonly force: boolean
  readonly model: string | undefined
  readonly fields: { readonly [name: string]: string }
  readonly timeoutSeconds?: number
  readonly json: boolean
}

function readJob(io: Io, photo: string, values: ReturnType<typeof parseOptions<typeof options>>['values']): Job {
  const focalLength = values['focal-length']
  if (focalLength !== undefined && !/^\d+(\.\d+)?$/.test(focalLength))
    throw new UsageError(`--focal-length takes millimetres, not "${focalLength}".`)
  const timeoutSeconds = readWholeNumber('--timeout', values.timeout, { from: 1, to: 86_400 })
  const path = findPhoto(io, photo)
  if (values.output === '-')
    throw new UsageError('-o takes the name of a file; splats are not written to standard output.')
  const format = readFormat(values)
  const target = resolve(io.cwd, values.output ?? `${basename(photo, extname(photo))}.${format ?? 'ply'}`)
  checkTarget(target, values.force)
  return {
    photo: path,
    target,
    format,
    force: values.force,
    model: values.model,
    fields: focalLength === undefined ? {} : { focal_length: focalLength },
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    json: values.json,
  }
}

/** A name that ends as a format does asks for it; a plain `.ply` is the output as it was verified. */
function readFormat({ format, output }: { readonly format?: string; readonly output?: string }): string | null {
  const known = listDerivatives('scene.ply').map(({ name }) => name.slice('scene.'.length))
  if (format === undefined) {
    const ending = formatOf(output ?? '')?.ending
    return ending === undefined || !output?.toLowerCase().endsWith(`.${ending}`) ? null : ending
  }
  if (format !== 'ply' && !known.includes(format))
    throw new UsageError(
      `There is no format "${format}".${suggest(format, known)} There are: ply, ${known.join(', ')}.`,
    )
  return format === 'ply' ? null : format
}

async function predict(io: Io, connection: Connection, job: Job, { first }: Interrupts): Promise<number> {
  const model = await findModel(connection.client, job.model)
  const { id } = await connection.client.create({ ...job, model })
  const cancel = () => {
    // The terminal has echoed ^C behind the progress.
    say(io.stderr, `${io.stderr.isTTY ? clearLine : ''}Canceling ...`)
    // Lost only with the gateway; whoever follows sees that, and asks again by a second Ctrl-C.
    connection.persist(client => client.cancel(id)).catch(() => undefined)
  }
  if (first.aborted) cancel()
  first.addEventListener('abort', cancel, { once: true })
  const ended = await follow(io, connection, id)
  first.removeEventListener('abort', cancel)
  const { output } = ended.surefoot
  if (ended.output !== null && output !== null) {
    const link = ended.output
    await connection.persist(async () => {
      // Asked anew: over another connection the link has another origin.
      const fresh = await connection.client.get(id)
      if (job.format !== null) return await saveMade(io, connection, fresh, job)
      const body = await connection.client.open(fresh.output ?? link)
      await saveOutput(job.target, body, { ...output, force: job.force })
    })
  }
  if (connection.url === null) await settle(connection.client, id)
  if (job.json) say(io.stdout, JSON.stringify({ path: output === null ? null : job.target, prediction: ended }))
  if (output !== null) {
    reportOutput(io, job, ended)
    return 0
  }
  if (ended.surefoot.failure !== null) throw new SurefootError(ended.surefoot.failure)
  say(io.stderr, first.aborted ? 'Canceled.' : explainEnd(ended, job))
  return first.aborted ? 130 : 1
}

/** Saves a file that is made of the output now. */
async function saveMade(io: Io, { client }: Connection, { surefoot }: PredictionJson, job: Job): Promise<void> {
  const made = surefoot.derivatives?.find(({ name }) => name.slice(name.indexOf('.') + 1) === job.format)
  if (made === undefined)
    refuse('input_invalid', `No .${job.format} file can be made of outputs of this model.`, {
      advice: 'Leave out --format for the output as it is.',
    })
  if (io.stderr.isTTY) io.stderr.write(`${clearLine}Making ${made.name} ...`)
  const { body, sha256 } = await client.openMade(made.url)
  await saveOutput(job.target, body, { sha256, force: job.force })
  if (io.stderr.isTTY) io.stderr.write(clearLine)
}

/** Follows a prediction to its end, over as many connections as that takes. */
async function follow(io: Io, connection: Connection, id: string): Promise<PredictionJson> {
  const line = createProgressLine(io.stderr)
  try {
    return await connection.persist(async client => {
      let last: PredictionJson | null = null
      for await (const prediction of client.watch(id)) {
        last = prediction
        if (!isTerminal(prediction.status)) line.show(prediction)
      }
      return last ?? (await client.get(id))
    })
  } catch (error) {
    if (isGone(error))
      refuse('internal', `The gateway went away, and prediction ${id} with it.`, {
        advice: `It goes on when the gateway is started again: surefoot status ${id}.`,
        cause: error,
      })
    throw error
  } finally {
    line.end()
  }
}

function reportOutput(io: Io, { target, format, json }: Job, { metrics, surefoot }: PredictionJson): void {
  if (!json && surefoot.output !== null) {
    const took = formatDuration((metrics.total_time ?? 0) * 1_000)
    const made = format === null ? '' : `, ${formatBytes(statSync(target).size)} as .${format}`
    say(io.stdout, `${target}: ${formatOutput(surefoot.output)} in ${took} (${surefoot.deployment})${made}`)
  }
  if (surefoot.notice !== null) say(io.stderr, surefoot.notice)
}

/** Ended as `canceled` or `aborted`, which is nobody's failure. */
function explainEnd({ id, status }: PredictionJson, { timeoutSeconds }: Job): string {
  return timeoutSeconds === undefined
    ? `Somebody else ended prediction ${id}: it was ${status}.`
    : `Gave up after ${timeoutSeconds} s, as --timeout says.`
}
