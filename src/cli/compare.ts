import { suggest } from '../config/refuse-config.ts'
import { refuse } from '../core/failure.ts'
import type { DeploymentJson, RecommendationJson } from '../http/provider-shapes.ts'
import { type Command, parseOptions, readWholeNumber, UsageError } from './command.ts'
import {
  type Comparison,
  type ComparisonFormat,
  comparisonFormats,
  formatComparison,
  type Trial,
} from './comparison.ts'
import { type Connection, connect } from './connection.ts'
import { findModel } from './find-model.ts'
import { findPhoto } from './find-photo.ts'
import { type Interrupts, watchInterrupts } from './interrupts.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { maySpend } from './may-spend.ts'
import { createProgressBoard } from './progress-board.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'
import { runLane } from './trials.ts'

const usage = `Usage: surefoot compare PHOTO [PHOTO ...] [OPTIONS]

Runs every photo several times on each deployment of a model, side by side, and says how they did. Deployments must be
in the config, but need not be on the model's route. At providers this costs money; it says so and asks first.

  --providers A,B      Only these providers or deployments (default: all that the model has)
  --runs N             Runs of each photo on each deployment (default 8: so many make figures worth deciding by)
  --model NAME         relief, owner/name (default: the first model of the config, relief without one)
  --prefer WHAT        Recommend by cost, speed or reliability (default cost)
  --timeout S          Seconds after which to give a run up
  --format FORMAT      table, markdown, csv or json (default table)
  --yes                Spend money without asking
${placeUsage}`

const options = {
  ...placeOptions,
  providers: { type: 'string' },
  runs: { type: 'string' },
  model: { type: 'string' },
  prefer: { type: 'string', default: 'cost' },
  timeout: { type: 'string' },
  format: { type: 'string', default: 'table' },
  yes: { type: 'boolean', default: false },
} as const

const wishes = ['cost', 'speed', 'reliability'] as const

/** `surefoot compare`: the same photos everywhere. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const job = readJob(io, positionals, values)
    const config = await loadSettings(io, values)
    const interrupts = watchInterrupts(io)
    try {
      const log = createLog(io.stderr, config.logLevel)
      const work = connect({ config, log, signal: interrupts.first }).then(connection =>
        compare(io, connection, job, interrupts).finally(connection.close),
      )
      return await Promise.race([work, interrupts.second])
    } finally {
      interrupts.stop()
    }
  },
}

interface Job {
  readonly photos: readonly string[]
  readonly providers: readonly string[] | null
  readonly runs: number
  readonly model: string | undefined
  readonly prefer: (typeof wishes)[number]
  readonly timeoutSeconds?: number
  readonly format: ComparisonFormat
  readonly yes: boolean
}

function readJob(
  io: Io,
  photos: readonly string[],
  values: ReturnType<typeof parseOptions<typeof options>>['values'],
): Job {
  if (photos.length === 0) throw new UsageError('The photo is missing.')
  const timeoutSeconds = readWholeNumber('--timeout', values.timeout, { from: 1, to: 86_400 })
  const providers = values.providers?.split(',').map(name => name.trim())
  if (providers?.some(name => name === '')) throw new UsageError('--providers takes names with commas in between.')
  return {
    photos: photos.map(photo => findPhoto(io, photo)),
    providers: providers ?? null,
    runs: readWholeNumber('--runs', values.runs, { from: 1, to: 1_000 }) ?? 8,
    model: values.model,
    prefer: readWord('--prefer', values.prefer, wishes),
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    format: readWord('--format', values.format, comparisonFormats),
    yes: values.yes,
  }
}

function readWord<const T extends string>(option: string, text: string, words: readonly T[]): T {
  const found = words.find(word => word === text)
  if (found !== undefined) return found
  throw new UsageError(`${option} takes ${words.join(', ')}, not "${text}".${suggest(text, words)}`)
}

async function compare(io: Io, connection: Connection, job: Job, { first }: Interrupts): Promise<number> {
  const model = await findModel(connection.client, job.model)
  const before = await connection.client.providers(model, 'cost')
  const deployments = choose(before.deployments, job.providers)
  if (!(await agreeToCosts(io, job, deployments, before.recommendations[0]))) {
    say(io.stderr, 'Nothing was run.')
    return 1
  }
  const names = deployments.map(({ name }) => name)
  const board = createProgressBoard(io, names)
  const trials: Trial[] = []
  try {
    const lanes = names.map(name => runLane(connection, board, { ...job, model }, name, first, trials))
    await Promise.all(lanes)
  } finally {
    board.end()
  }
  const after = await connection.persist(client => client.providers(model, job.prefer, names))
  const comparison: Comparison = { model, deployments, trials, recommendation: after.recommendations[0] ?? null }
  io.stdout.write(formatComparison(comparison, job.format))
  if (first.aborted) return 130
  return trials.some(({ status }) => status === 'succeeded') ? 0 : 1
}

function choose(all: readonly DeploymentJson[], wanted: readonly string[] | null): readonly DeploymentJson[] {
  if (wanted === null) return all
  const known = all.flatMap(({ provider, name }) => [provider, name])
  for (const name of wanted) {
    if (!known.includes(name))
      refuse('deployment_missing', `The model is not configured at "${name}".${suggest(name, known)}`, {
        advice: 'Add a deployment to the config.',
      })
  }
  return all.filter(({ provider, name }) => wanted.includes(provider) || wanted.includes(name))
}

/** Says what the runs will cost where they cost something, and asks. */
async function agreeToCosts(
  io: Io,
  { photos, runs, yes }: Job,
  deployments: readonly DeploymentJson[],
  costs: RecommendationJson | undefined,
): Promise<boolean> {
  const billed = deployments.filter(deployment => deployment.billed)
  if (billed.length === 0) return true
  const times = photos.length * runs
  for (const { name } of billed) {
    const cost = costs?.ranking.find(judged => judged.name === name)?.cost
    const estimate =
      cost == null
        ? 'how much is not known'
        : `about ${Number((cost.value * times).toPrecision(2))} USD (${cost.basis})`
    say(io.stderr, `${times === 1 ? '1 run' : `${times} runs`} on ${name} will cost money: ${estimate}.`)
  }
  return await maySpend(io, yes)
}
