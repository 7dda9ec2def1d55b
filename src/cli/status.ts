import { SurefootError } from '../core/failure.ts'
import { isTerminal } from '../core/prediction.ts'
import type { PredictionJson } from '../http/shapes.ts'
import type { Client } from './client.ts'
import { type Command, noArguments, parseOptions } from './command.ts'
import { connectToExisting } from './connection.ts'
import { formatTable } from './format.ts'
import { say } from './io.ts'
import { toRow } from './list.ts'
import { createLog } from './log.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot status [ID] [OPTIONS]

Without an id: who serves the data folder, and what runs of the newest 100 predictions. With one: that prediction in a
line.

  --all                Predictions of all tokens, not only those made without one
${placeUsage}`

const options = { ...placeOptions, all: { type: 'boolean', default: false } } as const

/** `surefoot status`: what is going on. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const [id, ...rest] = positionals
    noArguments(rest)
    const config = await loadSettings(io, values)
    const connection = await connectToExisting({ config, log: createLog(io.stderr, config.logLevel) })
    try {
      if (id !== undefined) {
        io.stdout.write(formatTable([toRow(await connection.client.get(id))]))
        return 0
      }
      const newest = await connection.client.list({ all: values.all })
      const live = newest.filter(({ status }) => !isTerminal(status))
      const nobody =
        config.database === null
          ? 'none; surefoot serve starts one'
          : 'not known; any process on this database may serve, and this one cannot tell which does'
      say(io.stdout, `Gateway  ${connection.url ?? nobody}`)
      say(io.stdout, `Data     ${config.dataDirectory}`)
      say(io.stdout, `Running  ${live.length}${describeFollowed(newest)}`)
      for (const line of await describeWarm(connection.client).catch(unlessForbidden)) say(io.stdout, line)
      io.stdout.write(formatTable(live.map(toRow)))
      return 0
    } finally {
      await connection.close()
    }
  },
}

/** A token without the scope `admin` sees its predictions all the same. */
function unlessForbidden(error: unknown): string[] {
  if (SurefootError.is(error) && error.status === 403) return []
  throw error
}

/** A line for each deployment that is kept warm: its hours, what they cost, and what its runs have cost today. */
async function describeWarm(client: Client): Promise<string[]> {
  const models = await client.models()
  const plans = await Promise.all(models.map(({ owner, name }) => client.warmPlans(`${owner}/${name}`)))
  return plans.flat().flatMap(({ deployment, keep_warm, today, failure }) => {
    if (keep_warm === null) return []
    const { hours, time_zone, every_seconds, open, estimate } = keep_warm
    const when = `${hours} ${time_zone}, ${open ? 'open' : 'shut'} now, every ${every_seconds} s without use`
    const { amount, assumptions } = estimate
    const price =
      amount === null
        ? 'what a day costs is not known'
        : `about ${Number(amount.toPrecision(2))} USD a day, an estimate`
    const spent = `today ${today.runs} ${today.runs === 1 ? 'run' : 'runs'}, ${Number(today.cost.toPrecision(3))} USD without idling`
    return [
      `Warm     ${deployment} ${when}: ${price}; ${spent}`,
      `         Assumed: ${assumptions.join(' ')}`,
      ...(failure === null ? [] : [`         The last one failed: ${failure}`]),
    ]
  })
}

/** How many predictions have ended while something of theirs may still run or cost. */
export function describeFollowed(predictions: readonly Pick<PredictionJson, 'status' | 'surefoot'>[]): string {
  const followed = predictions.filter(({ status, surefoot }) => isTerminal(status) && !surefoot.settled).length
  return followed === 0 ? '' : `, ended but still being followed: ${followed}`
}
