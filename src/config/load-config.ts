import { existsSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { defaultRetention, type Retention } from '../core/retention.ts'
import type { Route } from '../engine/contract.ts'
import type { S3Options } from '../files/contract.ts'
import type { Provider } from '../providers/contract.ts'
import type { Config } from './config.ts'
import { type LogFormat, type LogLevel, logFormats, logLevels } from './log-level.ts'
import { parseConfig } from './parse-config.ts'
import { correcting, refuseConfig, suggest } from './refuse-config.ts'
import { resolveConfig } from './resolve-config.ts'
import { hostWithoutProcesses } from './tool-environment.ts'

export interface LoadConfigOptions {
  /** Where to look for the config file, and what relative paths of the environment are relative to. */
  readonly cwd: string
  /**
   * `SUREFOOT_` and `PORT`, `HOST`, `DATA`, `DATABASE_URL`, `PUBLIC_URL`, `TOKEN`, `TICK_SECRET`, `LOG` or `LOG_FORMAT` are read, and `CRON_SECRET`. What `tool-environment.ts` names
   * goes to programs that local engines run; nothing else is looked at.
   */
  readonly env: Readonly<Record<string, string | undefined>>
  /** This config file instead of the one in `cwd`. */
  readonly path?: string
}

/** A config with everything in it known, checked and absolute. */
export interface LoadedConfig {
  readonly dataDirectory: string
  /** URL of a PostgreSQL database that processes share, or null for the data folder's own. */
  readonly database: string | null
  /** The bucket that files are kept in, or null for the data folder. */
  readonly bucket: S3Options | null
  readonly host: string
  readonly port: number
  /** An origin, and the path where an app mounts us, without a trailing slash. */
  readonly publicUrl: string | null
  /** Requests drive what runs, each for so long at most; null: loops do. Only for apps that mount or embed Surefoot. */
  readonly serverless: { readonly turnMs: number } | null
  /** What callers of `tick` send; null: nobody may. */
  readonly tickSecret: string | null
  /** Origins that get webhooks although they are private. */
  readonly webhookOrigins: readonly string[]
  /** Origins whose pages may call the API. */
  readonly corsOrigins: readonly string[]
  readonly retention: Retention
  /** Photos keep the coordinates of where they were taken. */
  readonly keepLocation: boolean
  /** What commands send to a gateway (`SUREFOOT_TOKEN`); null: the secret of whoever may read the data folder. */
  readonly token: string | null
  /** The least level that is logged. */
  readonly logLevel: LogLevel
  /** How lines of the log are written; null: as text on a terminal, as JSON elsewhere. */
  readonly logFormat: LogFormat | null
  readonly providers: Readonly<Record<string, Provider>>
  /** By public model name. */
  readonly routes: ReadonlyMap<string, Route>
  /** The file that was read, or null where there is none. */
  readonly path: string | null
}

const variable = 'the environment variable'
const fileNames = ['surefoot.config.ts', 'surefoot.config.js', 'surefoot.config.mjs']

/**
 * Reads `surefoot.config.ts` (or `.js`, `.mjs`) and the environment. Without a file the defaults run `relief` on this
 * machine. Fails with a `SurefootError` (fault `config`) whose sentence names the first thing that is wrong.
 */
export async function loadConfig({ cwd, env, path }: LoadConfigOptions): Promise<LoadedConfig> {
  const file = findFile(cwd, path)
  const config =
    file === null ? {} : await correcting(file, async () => parseConfig(await importFile(file), basename(file)))
  const settings = await correcting(variable, () => parseConfig(readEnvironment(env), 'environment'))
  const dataDirectory =
    settings.data !== undefined
      ? resolve(cwd, settings.data)
      : resolve(file === null ? cwd : dirname(file), config.data ?? '.surefoot')
  return {
    dataDirectory,
    database: settings.database ?? config.database ?? null,
    bucket: config.files?.s3 ?? null,
    host: settings.host ?? config.host ?? '127.0.0.1',
    port: settings.port ?? config.port ?? 8787,
    publicUrl: settings.publicUrl ?? config.publicUrl ?? null,
    serverless: toServerless(config.serverless ?? hostWithoutProcesses(env) !== null),
    tickSecret: settings.tickSecret ?? config.tickSecret ?? longEnough(env.CRON_SECRET),
    webhookOrigins: config.webhookOrigins ?? [],
    corsOrigins: config.corsOrigins ?? [],
    retention: toRetention(config.retention),
    keepLocation: config.keepLocation ?? false,
    token: env.SUREFOOT_TOKEN || null,
    logLevel: await correcting(variable, () => readLogLevel(env.SUREFOOT_LOG)),
    logFormat: await correcting(variable, () => readLogFormat(env.SUREFOOT_LOG_FORMAT)),
    ...(await correcting(file ?? variable, () => resolveConfig(config, dataDirectory, env))),
    path: file,
  }
}

function findFile(cwd: string, path: string | undefined): string | null {
  if (path !== undefined) {
    const file = resolve(cwd, path)
    return existsSync(file) ? file : refuseConfig(`There is no config file ${file}.`)
  }
  return fileNames.map(name => resolve(cwd, name)).find(file => existsSync(file)) ?? null
}

async function importFile(file: string): Promise<unknown> {
  let module: { readonly default?: unknown }
  try {
    module = await import(pathToFileURL(file).href)
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    return refuseConfig(`${basename(file)} cannot be read: ${words.replace(/\.?$/, '.')}`, cause)
  }
  return (
    module.default ??
    refuseConfig(`${basename(file)} has no default export; write "export default defineConfig({ ... })".`)
  )
}

/** The environment in the config's own words, so that both pass the same checks. Empty values count as not set. */
function readEnvironment(env: LoadConfigOptions['env']): Config {
  const read = (name: string) => (env[name] === undefined || env[name] === '' ? undefined : env[name])
  const port = read('SUREFOOT_PORT')
  if (port !== undefined && !/^\d{1,5}$/.test(port)) refuseConfig(`SUREFOOT_PORT: "${port}" is not a port number.`)
  return {
    data: read('SUREFOOT_DATA'),
    database: read('SUREFOOT_DATABASE_URL'),
    host: read('SUREFOOT_HOST'),
    port: port === undefined ? undefined : Number(port),
    publicUrl: read('SUREFOOT_PUBLIC_URL'),
    tickSecret: read('SUREFOOT_TICK_SECRET'),
  }
}

function readLogLevel(value: string | undefined): LogLevel {
  if (value === undefined || value === '') return 'info'
  const level = logLevels.find(candidate => candidate === value)
  return level ?? refuseConfig(`SUREFOOT_LOG: there is no level "${value}".${suggest(value, logLevels)}`)
}

/** A host's secret that anybody could guess opens nothing. */
function longEnough(secret: string | undefined): string | null {
  return secret !== undefined && secret.length >= 16 ? secret : null
}

/** Hosts end a function after 10 s where nothing else is set. */
const usualTurnSeconds = 8

function toServerless(given: boolean | { readonly seconds?: number }): { readonly turnMs: number } | null {
  if (given === false) return null
  const { seconds = usualTurnSeconds } = given === true ? {} : given
  return { turnMs: seconds * 1000 }
}

function readLogFormat(value: string | undefined): LogFormat | null {
  if (value === undefined || value === '') return null
  const format = logFormats.find(candidate => candidate === value)
  return format ?? refuseConfig(`SUREFOOT_LOG_FORMAT: there is no format "${value}".${suggest(value, logFormats)}`)
}

function toRetention({ days, gigabytes, spareGigabytes }: Config['retention'] = {}): Retention {
  const { ageMs, bytes, spareBytes } = defaultRetention
  return {
    ageMs: days === undefined ? ageMs : days && days * 24 * 3_600_000,
    bytes: gigabytes === undefined ? bytes : gigabytes && gigabytes * 1e9,
    spareBytes: spareGigabytes === undefined ? spareBytes : spareGigabytes * 1e9,
  }
}
