import { basename, extname, resolve } from 'node:path'
import { refuse, SurefootError } from '../core/failure.ts'
import { isTerminal } from '../core/prediction.ts'
import type { PredictionJson } from '../http/shapes.ts'
import { isGone } from './client.ts'
import { type Command, onlyArgument, parseOptions, readWholeNumber, UsageError } from './command.ts'
import { type Connection, connect } from './connection.ts'
import { findModel } from './find-model.ts'
import { findPhoto } from './find-photo.ts'
import { formatDuration, formatOutput } from './format.ts'
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
  --force              Replace that file where it exists
  --model NAME         relief, owner/name (default: the first model of the config, relief without one)
  --focal-length MM    Of the lens, as on a 35 mm film camera (default: as the photo says, else 30)
  --timeout S          Seconds after which to give up
  --json               Print the prediction as JSON
${placeUsage}`

const options = {
  ...placeOptions,
  output: { type: 'string', short: 'o' },
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
  const target = resolve(io.cwd, values.output ?? `${basename(photo, extname(photo))}.ply`)
  checkTarget(target, values.force)
  return {
    photo: path,
    target,
    force: values.force,
    model: values.model,
    fields: focalLength === undefined ? {} : { focal_length: focalLength },
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    json: values.json,
  }
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
      const { output: fresh } = await connection.client.get(id)
      await saveOutput(job.target, await connection.client.open(fresh ?? link), { ...output, force: job.force })
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

function reportOutput(io: Io, { target, json }: Job, { metrics, surefoot }: PredictionJson): void {
  if (!json && surefoot.output !== null) {
    const took = formatDuration((metrics.total_time ?? 0) * 1_000)
    say(io.stdout, `${target}: ${formatOutput(surefoot.output)} in ${took} (${surefoot.deployment})`)
  }
  if (surefoot.notice !== null) say(io.stderr, surefoot.notice)
}

/** Ended as `canceled` or `aborted`, which is nobody's failure. */
function explainEnd({ id, status }: PredictionJson, { timeoutSeconds }: Job): string {
  return timeoutSeconds === undefined
    ? `Somebody else ended prediction ${id}: it was ${status}.`
    : `Gave up after ${timeoutSeconds} s, as --timeout says.`
}
