import type { MigrationLimits } from '../core/migration-limits.ts'
import type { Policy } from '../core/policy.ts'
import type { Weekday } from '../core/schedule.ts'
import type { S3Options } from '../files/contract.ts'
import type { Model } from '../models/contract.ts'
import type { Provider } from '../providers/contract.ts'

/** What `surefoot.config.ts` exports by default. Everything has a default: an empty config runs `relief` on this machine. */
export interface Config {
  /** Data folder, relative to the config file. Default `.surefoot`. `SUREFOOT_DATA` goes before it. */
  readonly data?: string
  /**
   * `postgres://user:password@host/name`: a database that any number of processes share, `surefoot serve` and `surefoot
   * worker` alike: on this machine and this data folder, or with `files.s3` on several machines. Default none: the data
   * folder's own database, for one process. `SUREFOOT_DATABASE_URL` goes before it.
   */
  readonly database?: string
  /** Where files are kept. Default: in the data folder. See docs/storage.md. */
  readonly files?: { readonly s3: S3Options }
  /** Address to listen on; other than loopback ones need a token first. Default `127.0.0.1`. `SUREFOOT_HOST` goes before it. */
  readonly host?: string
  /** Default 8787. `SUREFOOT_PORT` goes before it. */
  readonly port?: number
  /**
   * Address under which providers reach this gateway: `https://host`, or with the path where an app mounts it,
   * `https://host/api/surefoot`. Default none. `SUREFOOT_PUBLIC_URL` goes before it. Let
   * the proxy or tunnel pass the Host header on: by it the world, which gets signed links only, is told from this machine.
   */
  readonly publicUrl?: string
  /**
   * For apps on hosts where no process lives longer than a request: requests themselves drive what runs, each for so many
   * seconds at most, 1 to 900. Needs `database` and `files.s3`. Default: 8 s where the host is known to end or freeze processes
   * (Vercel, Netlify, AWS Lambda), false elsewhere. Commands and `surefoot worker` take no notice of it. See docs/nextjs.md.
   */
  readonly serverless?: boolean | { readonly seconds?: number }
  /**
   * What whoever calls `tick` of a mounted app sends as a bearer token, at least 16 characters. Default none: nobody may call
   * it. `SUREFOOT_TICK_SECRET` goes before it, and where neither is set `CRON_SECRET`, which Vercel's cron sends.
   */
  readonly tickSecret?: string
  /**
   * Origins, such as `http://127.0.0.1:3000`, that get webhooks although they are on this machine or in a private network.
   * Default none: every other receiver must be on the public internet, or any caller could post into your network.
   */
  readonly webhookOrigins?: readonly string[]
  /**
   * Origins, such as `https://app.example`, whose pages may call the API from a browser (CORS): exactly these, never all, and
   * without cookies. Where no tokens are needed such a page may spend money. Default none. Signed links are open to all pages.
   */
  readonly corsOrigins?: readonly string[]
  /** How long data are kept, and how many. See docs/storage.md. */
  readonly retention?: {
    /** Inputs, outputs and uploads older than this are removed, once their prediction is settled. Default 30; null: never. */
    readonly days?: number | null
    /** Beyond so many gigabytes (1e9 bytes) of them the oldest go first. Default 20; null: no limit. */
    readonly gigabytes?: number | null
    /** With less room than this on the disk nothing new is taken on (507, `storage_full`). Default 0.5. */
    readonly spareGigabytes?: number
  }
  /**
   * Photos go to providers with the coordinates of where they were taken. Default false: coordinates are removed before
   * anybody gets the photo, and what phones append to it (films, second pictures) is cut off. The lens always stays.
   */
  readonly keepLocation?: boolean
  /** Providers by the name that deployments use. `local` is there without being named. */
  readonly providers?: { readonly [name: string]: Provider | ((context: ProviderContext) => Provider) }
  /** How models run, by public name (`surefoot/relief`) or alias (`relief`). */
  readonly models?: { readonly [model: string]: ModelConfig }
  /** Models on providers, by `model@provider`. `relief@local` is there without being named. */
  readonly deployments?: { readonly [deployment: string]: DeploymentConfig }
}

/** What a provider may need of its surroundings. */
export interface ProviderContext {
  /** Absolute path of the data folder. */
  readonly dataDirectory: string
}

export interface ModelConfig {
  /** A model of your own, made by `defineModel` under this very name. Default: the built-in one of this name or alias. */
  readonly model?: Model
  /** Deployments in order of preference; `weight` (default 1) is each one's share under `policy.routing: 'weighted'`, 0 for none. */
  readonly route: readonly (string | { readonly deployment: string; readonly weight?: number })[]
  /** Budgets that differ from the defaults: `localPolicy` where the whole route is this machine, else `defaultPolicy`. */
  readonly policy?: Partial<Policy>
  /** Moves the model's predictions from one deployment of its route to another, step by step: see docs/migrate. */
  readonly migration?: MigrationConfig
}

/** A way from one deployment to another by weights, with limits at which it goes on or back by itself. */
export interface MigrationConfig {
  /** Two deployments of the route. */
  readonly from: string
  readonly to: string
  /** Percent of predictions whose first choice is `to`, rising, up to 100. Default `[5, 25, 50, 100]`. */
  readonly steps?: readonly number[]
  /** Copies of predictions that run at `to` before the first step, for comparison only. They cost what others cost. */
  readonly shadow?: {
    /** Share of predictions that are copied, above 0, to 1. Default 0.1. */
    readonly share?: number
    /** So many compared pairs end the stage; 0 leaves it out. Default 10. */
    readonly runs?: number
  }
  /** What `to` must keep; a limit that is not given does not limit, except `success` and `differ`. */
  readonly limits?: Partial<MigrationLimits>
  /** Attempts at `to` that have ended before a step is judged to be good, 3 to 100. Default 20. */
  readonly samples?: number
}

export interface DeploymentConfig {
  /** What to run there; each provider's own words. */
  readonly target?: unknown
  /**
   * Most attempts at the same time. Default 4; on this machine one less than its processors, at least 1. When all are taken,
   * the next deployment of the route that has room is used; where none has, predictions wait in order of arrival.
   */
  readonly concurrency?: number
  /** Most starts within any 60 seconds, by all processes together. Default: no limit. */
  readonly startsPerMinute?: number
  /** Hours in which a worker is kept there, which costs what its idling costs: see docs/warm.md. `{}` is always. Default: never. */
  readonly keepWarm?: KeepWarmConfig
}

/** In these hours a deployment is warmed whenever nothing has used it for a while. */
export interface KeepWarmConfig {
  /** `08:00`, by the clocks of the time zone. Default `00:00`. */
  readonly from?: string
  /** `20:00`; where it lies before `from` the hours go on past midnight. Default `24:00`. */
  readonly to?: string
  /** The days on which the hours begin: `sun mon tue wed thu fri sat`. Default: all. */
  readonly days?: readonly Weekday[]
  /** IANA name, such as `Europe/Berlin`. Default `UTC`. */
  readonly timeZone?: string
  /** Seconds without use after which it is warmed again, 30 to 86,400. Default: four fifths of the time that a worker stays, else 240. */
  readonly everySeconds?: number
}

/**
 * Gives a config its type; returns it as it is.
 *
 * @example
 * export default defineConfig({
 *   providers: { replicate: replicate({ token: process.env.REPLICATE_API_TOKEN }) },
 *   deployments: { 'relief@replicate': { target: { version } } },
 *   models: { relief: { route: ['relief@replicate', 'relief@local'] } },
 * })
 */
export function defineConfig(config: Config): Config {
  return config
}
