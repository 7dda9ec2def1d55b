import { setTimeout as pause } from 'node:timers/promises'
import type { LoadedConfig } from '../config/load-config.ts'
import { suggest } from '../config/refuse-config.ts'
import { refuse } from '../core/failure.ts'
import { isTerminal } from '../core/prediction.ts'
import type { WarmEstimateJson, WarmPlanJson, WarmUpJson } from '../http/warm-shapes.ts'
import { type Command, onlyArgument, parseOptions, readWholeNumber } from './command.ts'
import { type Connection, connect } from './connection.ts'
import { findModel } from './find-model.ts'
import { formatCost, formatDuration, formatProgress } from './format.ts'
import { type Interrupts, watchInterrupts } from './interrupts.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { maySpend } from './may-spend.ts'
import { createProgressBoard, type ProgressBoard } from './progress-board.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot warm MODEL [OPTIONS]

Has a worker ready before somebody waits for one: on the deployments that a prediction of the model may begin on now. Wakes
by a call where the provider has one, else by a run of a tiny photo. At providers this costs money; it says so and asks first.

  --deployment NAME    This deployment of the model instead
  --timeout S          Seconds after which to stop waiting (default 600); what was begun goes on
  --yes                Spend money without asking
  --json               As JSON
${placeUsage}
Exit code 1 where no worker is ready. Hours in which a deployment is kept warm are "keepWarm" in the config.
`

const options = {
  ...placeOptions,
  deployment: { type: 'string' },
  timeout: { type: 'string' },
  yes: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const

interface Job {
  readonly model: string
  readonly deployment: string | undefined
  readonly timeoutMs: number
  readonly yes: boolean
  readonly json: boolean
}

/** A warm-up as it ended, or as far as it was waited for. */
interface Warmed extends WarmUpJson {
  /** Until a worker was ready; null where none is known to be. */
  readonly seconds: number | null
}

const lookEveryMs = 500
/** What a run cost is told a moment after its end. */
const costWithinMs = 15_000

/** `surefoot warm`: a worker before anybody waits. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const job: Job = {
      model: onlyArgument(positionals, 'The model'),
      deployment: values.deployment,
      timeoutMs: (readWholeNumber('--timeout', values.timeout, { from: 1, to: 86_400 }) ?? 600) * 1000,
      yes: values.yes,
      json: values.json,
    }
    const config = await loadSettings(io, values)
    const interrupts = watchInterrupts(io)
    try {
      const log = createLog(io.stderr, config.logLevel)
      const work = connect({ config, log, signal: interrupts.first }).then(connection =>
        warm(io, connection, config, job, interrupts).finally(connection.close),
      )
      return await Promise.race([work, interrupts.second])
    } finally {
      interrupts.stop()
    }
  },
}

async function warm(
  io: Io,
  connection: Connection,
  config: LoadedConfig,
  job: Job,
  { first }: Interrupts,
): Promise<number> {
  const model = await findModel(connection.client, job.model)
  const plans = choose(await connection.client.warmPlans(model), job.deployment)
  for (const plan of plans) if (plan.choice !== null) say(io.stderr, `${plan.deployment}: ${plan.choice}`)
  checkReachable(connection, config, plans)
  if (!(await agreeToCosts(io, job, plans))) {
    say(io.stderr, 'Nothing was warmed.')
    return 1
  }
  const board = createProgressBoard(
    io,
    plans.map(({ deployment }) => deployment),
  )
  let warmed: readonly Warmed[]
  try {
    warmed = await Promise.all(
      plans.map(({ deployment }) => follow(connection, board, { ...job, model }, deployment, first)),
    )
  } finally {
    board.end()
  }
  if (job.json) say(io.stdout, JSON.stringify({ model, deployments: warmed }))
  else for (const [index, each] of warmed.entries()) say(io.stdout, describe(each, plans[index]?.bills ?? []))
  if (first.aborted) return 130
  return warmed.every(({ state }) => state === 'ready' || state === 'asked' || state === 'never') ? 0 : 1
}

function choose(plans: readonly WarmPlanJson[], wanted: string | undefined): readonly WarmPlanJson[] {
  if (wanted === undefined) {
    const first = plans.filter(({ choice }) => choice !== null)
    if (first.length > 0) return first
    refuse('no_capacity', 'Every deployment of the model is out just now.', {
      advice: 'surefoot doctor says why.',
    })
  }
  const names = plans.map(({ deployment }) => deployment)
  if (!names.includes(wanted))
    refuse('deployment_missing', `The model is not configured at "${wanted}".${suggest(wanted, names)}`, {
      advice: 'Name one of these, or add it to the config.',
    })
  return plans.filter(({ deployment }) => deployment === wanted)
}

/** Workers of a run may call us at the public URL, and at that a command does not listen. */
function checkReachable(
  { url }: Connection,
  { publicUrl, database }: LoadedConfig,
  plans: readonly WarmPlanJson[],
): void {
  if (url !== null || publicUrl === null || database !== null || plans.every(({ by }) => by !== 'run')) return
  refuse('input_invalid', `Nothing was warmed: workers would call ${publicUrl}, and no gateway is running there.`, {
    advice: 'Start surefoot serve and run this again.',
  })
}

/** Says what warming costs where it costs something, and asks. */
async function agreeToCosts(io: Io, { yes }: Job, plans: readonly WarmPlanJson[]): Promise<boolean> {
  const billed = plans.filter(plan => plan.billed && plan.by !== null)
  for (const { deployment, estimate } of billed)
    say(
      io.stderr,
      `Warming ${deployment} will cost money: ${estimate === null ? 'how much is not known' : estimateWords(estimate)}.`,
    )
  return billed.length === 0 || (await maySpend(io, yes))
}

/** `about 0.032 USD, an estimate for 115 s of a worker (A run is taken to be 10 s: not measured yet)`. */
export function estimateWords({ amount, seconds, assumptions }: WarmEstimateJson): string {
  const time = `${formatDuration(seconds * 1000)} of a worker`
  const words =
    amount === null
      ? `${time}, at a price that is not known`
      : `about ${Number(amount.toPrecision(2))} USD, an estimate for ${time}`
  return assumptions.length === 0 ? words : `${words} (${assumptions.join(' ').replace(/\.$/, '')})`
}

async function follow(
  connection: Connection,
  board: ProgressBoard,
  { model, timeoutMs }: Job,
  deployment: string,
  interrupted: AbortSignal,
): Promise<Warmed> {
  const begunAt = performance.now()
  const elapsed = () => performance.now() - begunAt
  const ask = (run: boolean) => connection.persist(client => client.warm(model, { deployments: [deployment], run }))
  let [now] = await ask(true)
  let said = ''
  let endedAt: number | null = null
  for (;;) {
    if (now === undefined) return refuse('internal', `The gateway told nothing of ${deployment}.`)
    const { message, run } = now
    board.show(deployment, { done: 0, of: 1, failed: 0, ...standing(now) })
    if (message !== said) board.note(message)
    said = message
    if (isOver(now)) endedAt ??= elapsed()
    const isWaiting = endedAt === null || (run !== null && !run.settled && elapsed() < endedAt + costWithinMs)
    if (!isWaiting || interrupted.aborted) return { ...now, seconds: secondsOf(now, endedAt) }
    if (endedAt === null && elapsed() > timeoutMs)
      return { ...now, state: 'failed', ...late(now, timeoutMs), seconds: null }
    await pause(lookEveryMs, undefined, { signal: interrupted }).catch(() => undefined)
    const id = run?.id
    now = id === undefined ? (await ask(false))[0] : await connection.persist(client => client.warmRun(model, id))
  }
}

function isOver({ state, run }: WarmUpJson): boolean {
  return run === null ? state !== 'waking' : isTerminal(run.status)
}

function standing({ state, run }: WarmUpJson): { readonly now: string; readonly fraction: number } {
  const fraction = run?.progress?.fraction ?? null
  return { now: formatProgress(run?.progress?.stage ?? state, fraction), fraction: fraction ?? 0 }
}

function secondsOf({ state, run }: WarmUpJson, endedAt: number | null): number | null {
  if (state !== 'ready') return null
  return run?.ready_seconds ?? (endedAt === null ? null : endedAt / 1000)
}

function late({ message }: WarmUpJson, timeoutMs: number): Pick<WarmUpJson, 'message' | 'advice'> {
  return {
    message: `No worker was ready after ${timeoutMs / 1000} s. ${message}`,
    advice: 'What was begun goes on; surefoot doctor says what may be wrong there.',
  }
}

function describe({ deployment, state, message, advice, run, seconds }: Warmed, bills: WarmPlanJson['bills']): string {
  const beside = bills.length === 0 ? '' : `; its ${bills.map(stage => besideWords[stage]).join(' and ')} not counted`
  const cost = run?.cost == null ? '' : `, ${formatCost(run.cost)}${beside}`
  const by = run === null ? message : `a run that took ${formatDuration((run.seconds ?? 0) * 1000)} in all${cost}`
  if (state === 'ready')
    return `${deployment}: ready${seconds === null ? '' : ` after ${formatDuration(seconds * 1000)}`} (${by})`
  return `${deployment}: ${state === 'failed' ? 'not ready' : words[state]}. ${message}${advice === null ? '' : ` ${advice}`}`
}

const besideWords = { boot: 'start', idle: 'idling' } as const

const words = {
  waking: 'waking',
  asked: 'a worker was asked for',
  cold: 'not warmed',
  never: 'nothing to warm',
} as const
