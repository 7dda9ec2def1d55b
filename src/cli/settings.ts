import type { LoadedConfig } from '../config/load-config.ts'
import { readWholeNumber } from './command.ts'
import type { Io } from './io.ts'
import { resolveOwnPackage } from './own-package.ts'

/** Options by which any command finds its data folder and config. */
export const placeOptions = {
  data: { type: 'string' },
  config: { type: 'string' },
} as const

/** Their part of a command's usage. */
export const placeUsage = `  --data DIR           Data folder (default .surefoot, or as SUREFOOT_DATA or the config say)
  --config FILE        Config file (default surefoot.config.ts, .js or .mjs in this folder)
`

/** What was written on the command line. */
export interface Flags {
  readonly data?: string
  readonly config?: string
  readonly host?: string
  readonly port?: string
}

/**
 * The configuration for a command: the command line goes before the environment, the environment before the file.
 * People at a terminal hear of warnings and errors; whoever wants each request in the log sets SUREFOOT_LOG=info.
 */
export async function loadSettings(io: Io, { data, config, host, port }: Flags): Promise<LoadedConfig> {
  readWholeNumber('--port', port, { from: 0, to: 65_535 })
  const flags = {
    ...(io.env.SUREFOOT_LOG ? {} : { SUREFOOT_LOG: 'warn' }),
    ...(data === undefined ? {} : { SUREFOOT_DATA: data }),
    ...(host === undefined ? {} : { SUREFOOT_HOST: host }),
    ...(port === undefined ? {} : { SUREFOOT_PORT: port }),
  }
  const { loadConfig } = await import('../config/load-config.ts')
  resolveOwnPackage()
  return await loadConfig({
    cwd: io.cwd,
    env: { ...io.env, ...flags },
    ...(config === undefined ? {} : { path: config }),
  })
}
