import { type Cost, isEnded } from '../core/prediction.ts'
import type { AttemptJson, AttemptsJson, PredictionJson } from '../http/shapes.ts'
import { type Command, onlyArgument, parseOptions } from './command.ts'
import { connectToExisting } from './connection.ts'
import { formatCost, formatOutput, formatTable, toMinute } from './format.ts'
import { type Io, paint, say } from './io.ts'
import { toRow } from './list.ts'
import { createLog } from './log.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot show ID [OPTIONS]

What was tried for a prediction, when, and why.

  --json               As JSON
${placeUsage}`

const options = { ...placeOptions, json: { type: 'boolean', default: false } } as const

/** `surefoot show`: the account of one prediction. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const id = onlyArgument(positionals, 'The id of a prediction')
    const config = await loadSettings(io, values)
    const connection = await connectToExisting({ config, log: createLog(io.stderr, config.logLevel) })
    try {
      const [prediction, account] = await Promise.all([connection.client.get(id), connection.client.attempts(id)])
      if (values.json) say(io.stdout, JSON.stringify({ prediction, ...account }))
      else print(io, prediction, account)
      return 0
    } finally {
      await connection.close()
    }
  },
}

function print(io: Io, prediction: PredictionJson, { attempts, decisions }: AttemptsJson): void {
  const head = (text: string) => say(io.stdout, paint(io, io.stdout, 'bold', text))
  const { failure, output, cost, settled, shadow_of: shadow, data_removed_at: removed } = prediction.surefoot
  const since = (time: string) => `+${((Date.parse(time) - Date.parse(prediction.created_at)) / 1_000).toFixed(2)} s`
  head(toRow(prediction).slice(0, 4).join('  '))
  if (shadow !== undefined)
    say(io.stdout, `Shadow run of ${shadow} for a migration: compared with it, then its output is removed.`)
  if (output !== null) say(io.stdout, `${output.name}: ${formatOutput(output)}, sha256 ${output.sha256}`)
  if (failure !== null) say(io.stdout, `${failure.code}: ${failure.message} ${failure.advice}`)
  if (removed !== undefined)
    say(io.stdout, `Data removed ${toMinute(removed)} UTC: input and output are kept no longer.`)
  say(io.stdout, describeCost(cost, attempts))
  if (!settled) say(io.stdout, 'Something of it may still run.')

  head('\nAttempts')
  for (const attempt of attempts) for (const line of describeAttempt(attempt, since)) say(io.stdout, line)
  head('\nDecisions')
  const number = (attempt: number | null) => (attempt === null ? '' : `#${attempt}`)
  io.stdout.write(formatTable(decisions.map(({ at, attempt, what, why }) => [since(at), number(attempt), what, why])))
}

/** What the headline of costs is made of. */
type CostedAttempt = Pick<AttemptJson, 'state' | 'release' | 'reserved' | 'cost'>

/**
 * What a prediction cost: what is known, how many attempts are of unknown cost and their worst case, and what runs may still
 * add that were given up without anybody's word that they ended. Attempts that still run are not counted yet, and those that
 * were never started cost nothing.
 */
export function describeCost(cost: Cost | null, attempts: readonly CostedAttempt[]): string {
  const started = attempts.filter(attempt => !neverStarted(attempt))
  if (started.length === 0) return 'Cost: nothing, no attempt was started'
  const ended = started.filter(({ state }) => isEnded(state))
  const what = ended.length === started.length ? 'Cost' : 'Cost so far'
  const open = ended.filter(attempt => attempt.release === 'given_up' && restOf(attempt) > 0)
  const unknown = ended.filter(attempt => attempt.cost === null && !open.includes(attempt))
  return `${what}: ${describeKnown(cost, unknown)}${describeOpen(open)}`
}

function describeKnown(cost: Cost | null, unknown: readonly CostedAttempt[]): string {
  if (unknown.length === 0) return cost === null ? 'not known' : formatCost(cost)
  const worst = Math.max(...unknown.map(({ reserved }) => reserved))
  if (cost === null && worst === 0)
    return 'unknown, the deployment has no price: set pricePerSecond in its target, or the hardware where its provider has a price list'
  const many = unknown.length > 1
  const limit = worst === 0 ? 'no price is set' : `at most ${dollars(worst)} USD${many ? ' each' : ''}`
  const rest = `${unknown.length} ${many ? 'attempts' : 'attempt'} of unknown cost (${limit})`
  return cost === null ? rest : `at least ${formatCost(cost)}, ${rest}`
}

function describeOpen(open: readonly CostedAttempt[]): string {
  if (open.length === 0) return ''
  const worst = dollars(open.reduce((sum, attempt) => sum + restOf(attempt), 0))
  const runs = open.length === 1 ? '1 run' : `${open.length} runs`
  return `; at most ${worst} USD may still be billed by ${runs} nobody could confirm as ended`
}

/** It waits for a place still, or its start was refused: neither costs anything. */
function neverStarted({ state, release }: Pick<AttemptJson, 'state' | 'release'>): boolean {
  return state === 'planned' || (release === 'none' && isEnded(state))
}

function restOf({ reserved, cost }: CostedAttempt): number {
  return reserved - (cost?.amount ?? 0)
}

function dollars(amount: number): number {
  return Number(amount.toPrecision(3))
}

/** `#1  relief@local  won`, then below it when each stage began, what it cost and why it ended. */
function describeAttempt(attempt: AttemptJson, since: (time: string) => string): readonly string[] {
  const { number, deployment, state, word, cost, reserved, failure } = attempt
  const estimate = reserved === 0 || neverStarted(attempt) ? [] : [`    at most ${dollars(reserved)} USD`]
  const stages = ['submitted', 'queued', 'booting', 'running', 'collecting', 'ended'] as const
  const times = stages.flatMap(stage => {
    const at = attempt[`${stage}_at`]
    return at === null ? [] : [`${stage} ${since(at)}`]
  })
  return [
    `#${number}  ${deployment}  ${state}${word === null || word === state ? '' : ` (there: ${word})`}`,
    `    ${times.join(', ')}`,
    ...(cost === null ? estimate : [`    ${formatCost(cost)}`]),
    ...(failure === null ? [] : [`    ${failure.code}: ${failure.message}`]),
  ]
}
