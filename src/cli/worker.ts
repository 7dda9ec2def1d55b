import type { LoadedConfig } from '../config/load-config.ts'
import { createFailure, SurefootError } from '../core/failure.ts'
import { type Command, noArguments, parseOptions } from './command.ts'
import { aborted, type Interrupts, watchInterrupts } from './interrupts.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot worker [OPTIONS]

Drives predictions without serving anything, until Ctrl-C. Any number of workers share the database of SUREFOOT_DATABASE_URL
(or the config's "database") with each other and with surefoot serve; when one dies, another takes over within 20 seconds.
All of them run on one machine, with the same data folder and config.

${placeUsage}`

/** `surefoot worker`: an engine without a front, until a signal ends it. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, placeOptions)
    noArguments(positionals)
    const config = await loadSettings(io, values)
    if (config.database === null) throw createNeedsDatabase()
    const interrupts = watchInterrupts(io)
    try {
      return await Promise.race([work(io, config, interrupts), interrupts.second])
    } finally {
      interrupts.stop()
    }
  },
}

async function work(io: Io, config: LoadedConfig, { first }: Interrupts): Promise<number> {
  const { openDataFolder } = await import('../open.ts')
  const opened = await openDataFolder(config, createLog(io.stderr, config.logLevel, config.logFormat))
  // Neither the engine's timers nor idle connections keep a process alive.
  const alive = setInterval(() => {}, 60_000)
  try {
    say(io.stdout, `Surefoot drives predictions of ${[...config.routes.keys()].join(', ')}`)
    await aborted(first)
    say(io.stderr, 'Stopping ...')
  } finally {
    await opened.close()
    clearInterval(alive)
  }
  return 0
}

function createNeedsDatabase(): SurefootError {
  const failure = createFailure('input_invalid', 'A worker needs a database that processes can share.', {
    fault: 'config',
    advice: 'Set SUREFOOT_DATABASE_URL to a postgres:// URL. On a database of its own, surefoot serve is all it takes.',
  })
  return new SurefootError(failure)
}
