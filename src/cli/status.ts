import { isTerminal } from '../core/prediction.ts'
import { type Command, noArguments, parseOptions } from './command.ts'
import { connectToExisting } from './connection.ts'
import { formatTable } from './format.ts'
import { say } from './io.ts'
import { toRow } from './list.ts'
import { createLog } from './log.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot status [ID] [OPTIONS]

Without an id: who serves the data folder, and what runs. With one: that prediction in a line.

${placeUsage}`

/** `surefoot status`: what is going on. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, placeOptions)
    const [id, ...rest] = positionals
    noArguments(rest)
    const config = await loadSettings(io, values)
    const connection = await connectToExisting({ config, log: createLog(io.stderr, config.logLevel) })
    try {
      if (id !== undefined) {
        io.stdout.write(formatTable([toRow(await connection.client.get(id))]))
        return 0
      }
      const live = (await connection.client.list()).filter(({ status }) => !isTerminal(status))
      say(io.stdout, `Gateway  ${connection.url ?? 'none; surefoot serve starts one'}`)
      say(io.stdout, `Data     ${config.dataDirectory}`)
      say(io.stdout, `Running  ${live.length}`)
      io.stdout.write(formatTable(live.map(toRow)))
      return 0
    } finally {
      await connection.close()
    }
  },
}
