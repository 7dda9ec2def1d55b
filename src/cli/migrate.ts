import { setTimeout as pause } from 'node:timers/promises'
import { suggest } from '../config/refuse-config.ts'
import { refuse, SurefootError } from '../core/failure.ts'
import { describeBeginning, type MigrationAction, migrationActions } from '../core/migration.ts'
import type { MigrationJson } from '../http/migration-shapes.ts'
import type { Client } from './client.ts'
import { type Command, parseOptions, UsageError } from './command.ts'
import { type Connection, connectToExisting } from './connection.ts'
import { watchInterrupts } from './interrupts.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { describeOut, drawMigration, toSecond } from './migration-picture.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot migrate [MODEL] [ACTION] [OPTIONS]

Where the migration of a model from one deployment to another stands: which share of predictions begins at the new one, how
both do, and what the next step waits for. Steps and roll-backs come by themselves, by the limits in the config.

  pause                Hold it: the share stays, nothing is judged
  resume               Go on; after a roll-back, begin anew: with shadow runs, or at the first step where there are none
  advance              Take the next step now, whatever the limits say
  rollback             Back to the old deployment, for all predictions, now

  --watch              Show each change, until it is done (0) or rolled back (1)
  --json               As JSON
${placeUsage}`

const options = {
  ...placeOptions,
  json: { type: 'boolean', default: false },
  watch: { type: 'boolean', default: false },
} as const

const watchEveryMs = 2_000
/** The whole screen: sentences of the history are longer than most lines, so nobody knows how many the last picture took. */
const clearScreen = '\u001b[H\u001b[2J'

interface Job {
  /** Alias or full name; undefined for all that there are. */
  readonly model: string | undefined
  readonly action: MigrationAction | null
  readonly json: boolean
  readonly watch: boolean
}

/** `surefoot migrate`: how far a model has moved from one deployment to another. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const job = { ...readJob(positionals), json: values.json, watch: values.watch }
    const config = await loadSettings(io, values)
    const interrupts = watchInterrupts(io)
    const connection = await connectToExisting({ config, log: createLog(io.stderr, config.logLevel) })
    try {
      if (job.action !== null) await act(connection.client, job.model, job.action)
      return job.watch ? await watch(io, connection, job, interrupts.first) : await show(io, connection.client, job)
    } finally {
      interrupts.stop()
      await connection.close()
    }
  },
}

function readJob(positionals: readonly string[]): Pick<Job, 'model' | 'action'> {
  const [first, second, third] = positionals
  if (third !== undefined) throw new UsageError(`"${third}" is one argument too many.`)
  if (second !== undefined) return { model: first, action: readAction(second) }
  return isAction(first) ? { model: undefined, action: first } : { model: first, action: null }
}

function isAction(word: string | undefined): word is MigrationAction {
  return migrationActions.some(action => action === word)
}

function readAction(word: string): MigrationAction {
  if (isAction(word)) return word
  throw new UsageError(`There is no action "${word}".${suggest(word, migrationActions)}`)
}

/** Those of the model that is named, or all. */
async function find(client: Client, model: string | undefined): Promise<readonly MigrationJson[]> {
  const all = await client.migrations()
  const found = all.filter(
    migration => model === undefined || migration.model === model || migration.model.split('/')[1] === model,
  )
  if (found.length > 0 || model === undefined) return found
  const names = all.map(migration => migration.model)
  return refuse('deployment_missing', `No migration is configured for "${model}".${suggest(model, names)}`, {
    advice: 'Give the model a migration in surefoot.config.ts and start the gateway again.',
  })
}

async function act(client: Client, model: string | undefined, action: MigrationAction): Promise<void> {
  const [first, second] = await find(client, model)
  if (second !== undefined) throw new UsageError(`Several models migrate; say which one to ${action}.`)
  if (first === undefined) return void refuse('deployment_missing', nothing)
  await client.migrate(first.model, action).catch(error => {
    if (!SurefootError.is(error) || error.status !== 409) throw error
    const advice =
      first.stage === 'rolled_back'
        ? `surefoot migrate ${first.model} resume begins anew, ${describeBeginning(first.plan)}.`
        : 'surefoot migrate shows where it stands.'
    refuse(error.failure.code, error.failure.message, { advice, status: 409 })
  })
}

const nothing = 'No model has a migration in the config; docs/migrate/README.md says how to begin one.'

async function show(io: Io, client: Client, { model, json }: Job): Promise<number> {
  const migrations = await find(client, model)
  if (json) say(io.stdout, JSON.stringify(migrations))
  else if (migrations.length === 0) say(io.stdout, nothing)
  else io.stdout.write(migrations.map(migration => drawMigration(io, migration)).join('\n'))
  return 0
}

/** On a terminal the picture, drawn anew; elsewhere a line for each event, or one of JSON for each change. */
async function watch(io: Io, { persist }: Connection, { model, json }: Job, interrupted: AbortSignal): Promise<number> {
  const told = new Map<string, number>()
  const out = new Set<string>()
  let drawn = ''
  for (;;) {
    const migrations = await persist(client => find(client, model))
    if (migrations.length === 0) {
      say(io.stdout, nothing)
      return 0
    }
    const picture = json ? JSON.stringify(migrations) : migrations.map(each => drawMigration(io, each)).join('\n')
    if (json || io.stdout.isTTY === true) {
      if (picture !== drawn) io.stdout.write(json ? `${picture}\n` : `${clearScreen}${picture}`)
      drawn = picture
    } else {
      for (const migration of migrations) {
        tellNews(io, migration, told)
        tellOut(io, migration, out)
      }
    }
    if (migrations.every(({ stage }) => stage === 'done' || stage === 'rolled_back'))
      return migrations.every(({ stage }) => stage === 'done') ? 0 : 1
    await pause(watchEveryMs, undefined, { signal: interrupted }).catch(() => {})
    if (interrupted.aborted) return 130
  }
}

function tellNews(io: Io, { model, history }: MigrationJson, told: Map<string, number>): void {
  const since = told.get(model) ?? 0
  for (const { at, what, why } of history) {
    if (Date.parse(at) <= since) continue
    say(io.stdout, `${toSecond(at)}  ${model}  ${what}: ${why}`)
    told.set(model, Date.parse(at))
  }
}

/** A line when a side goes out, and none for as long as it stays out. `told` remembers between calls which ones are. */
export function tellOut(io: Pick<Io, 'stdout'>, { model, from, to }: MigrationJson, told: Set<string>): void {
  for (const side of [from, to]) {
    const key = `${model} ${side.deployment}`
    if (side.out === null) told.delete(key)
    else if (!told.has(key)) {
      told.add(key)
      say(io.stdout, `${toSecond(new Date().toISOString())}  ${model}  ${describeOut(side).join('')}`)
    }
  }
}
