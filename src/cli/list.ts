import { isTerminal } from '../core/prediction.ts'
import type { PredictionJson } from '../http/shapes.ts'
import { type Command, noArguments, parseOptions } from './command.ts'
import { connectToExisting } from './connection.ts'
import { formatDuration, formatOutput, formatProgress, formatTable, toMinute } from './format.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot list [OPTIONS]

The newest 100 predictions.

  --all                Those of all tokens, not only what was made without one
  --json               As JSON
${placeUsage}`

const options = {
  ...placeOptions,
  all: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const

/** `surefoot list`: a line for each prediction. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    noArguments(positionals)
    const config = await loadSettings(io, values)
    const connection = await connectToExisting({ config, log: createLog(io.stderr, config.logLevel) })
    try {
      print(io, await connection.client.list({ all: values.all }), values.json)
      return 0
    } finally {
      await connection.close()
    }
  },
}

/** The columns of one prediction: id, model, when, status, what came of it. */
export function toRow(prediction: PredictionJson): readonly string[] {
  const { id, model, created_at, status } = prediction
  return [id, model, created_at.slice(0, 19).replace('T', ' '), status, describeState(prediction)]
}

function print(io: Io, predictions: readonly PredictionJson[], json: boolean): void {
  if (json) say(io.stdout, JSON.stringify(predictions))
  else if (predictions.length === 0) say(io.stdout, 'There are no predictions yet.')
  else io.stdout.write(formatTable([['ID', 'MODEL', 'CREATED (UTC)', 'STATUS', ''], ...predictions.map(toRow)]))
}

function describeState({ status, error, metrics, surefoot }: PredictionJson): string {
  const { output, progress, data_removed_at: removed } = surefoot
  const gone = removed === undefined ? '' : `data removed ${toMinute(removed)}`
  if (output !== null) return `${formatOutput(output)} in ${formatDuration((metrics.total_time ?? 0) * 1_000)}`
  if (error !== null) return gone === '' ? error : `${gone}; ${error}`
  return isTerminal(status) || progress?.stage == null ? gone : formatProgress(progress.stage, progress.fraction)
}
