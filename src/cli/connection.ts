import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { LoadedConfig } from '../config/load-config.ts'
import { refuse, SurefootError } from '../core/failure.ts'
import type { Log } from '../engine/contract.ts'
import { type Client, createClient, isGone } from './client.ts'

/**
 * A way to the predictions of a data folder: through the gateway that owns it, else by opening the folder in this very
 * process. Who owns it is told by the kernel's lock, not by `owner.json`, which a killed owner leaves behind. Either way
 * commands speak the one HTTP API.
 */
export interface Connection {
  /** Where the owner listens; null when this process has opened the folder itself. */
  readonly url: string | null
  readonly client: Client
  /** Does `work`, once more over a new connection each time that the gateway goes away in the middle of it. */
  persist<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** Gives the folder back, or does nothing. */
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly config: LoadedConfig
  readonly log: Log
  /** How long to wait for a process that holds the folder without serving it: another command, or one that starts. Default 20 s. */
  readonly patienceMs?: number
  /** Ends the waiting. */
  readonly signal?: AbortSignal
}

const retryMs = 200
/** Together with the pauses, the five seconds that a gateway takes at most to stop. */
const reconnects = 25

/** Connects. Fails with a `SurefootError` of status 409 when the folder stays in use by a process that serves nobody. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  let link = await open(options)
  return {
    get url() {
      return link.url
    },
    get client() {
      return link.client
    },
    async persist(work) {
      for (let times = 0; ; times++) {
        try {
          return await work(link.client)
        } catch (error) {
          if (!isGone(error) || times === reconnects) throw error
          await link.close()
          await pause(retryMs)
          link = await open(options)
        }
      }
    },
    close: () => link.close(),
  }
}

/** `connect` for commands that only read: an empty place stays as it is. */
export async function connectToExisting(options: ConnectOptions): Promise<Connection> {
  const { dataDirectory, database } = options.config
  if (database === null && !existsSync(join(dataDirectory, 'surefoot.db'))) {
    refuse('input_invalid', `There is no data folder ${dataDirectory}.`, {
      advice: 'surefoot serve and surefoot predict make one.',
    })
  }
  return await connect(options)
}

type Link = Pick<Connection, 'url' | 'client' | 'close'>

async function open(options: ConnectOptions): Promise<Link> {
  const { readOwner } = await import('../store/lock.ts')
  const until = performance.now() + (options.patienceMs ?? 20_000)
  for (;;) {
    try {
      return await openHere(options)
    } catch (error) {
      if (!SurefootError.is(error) || error.status !== 409) throw error
      const owner = await readOwner(options.config.dataDirectory)
      if (owner !== null) {
        const secret = options.config.token ?? owner.secret
        const client = createClient(owner.url, request => fetch(request), secret)
        return { url: owner.url, client, close: async () => {} }
      }
      if (performance.now() > until || options.signal?.aborted) throw error
      await pause(retryMs)
    }
  }
}

async function openHere({ config, log }: ConnectOptions): Promise<Link> {
  const { openDataFolder } = await import('../open.ts')
  const opened = await openDataFolder(config, log, { passing: true })
  const [{ createGateway }, { hostsOf }, { mintOwnerSecret }] = await Promise.all([
    import('./gateway.ts'),
    import('../http/safety.ts'),
    import('../http/secrets.ts'),
  ])
  const origin = `http://127.0.0.1:${config.port}`
  const ownerSecret = mintOwnerSecret()
  const app = createGateway(opened, config, log, {
    allowedHosts: hostsOf(config.port, config.publicUrl),
    access: { tokensRequired: false, ownerSecret },
  })
  // The engine's own timers never keep a process alive; a command that works with it does.
  const alive = setInterval(() => {}, 60_000)
  return {
    url: null,
    client: createClient(origin, app.fetch, config.token ?? ownerSecret),
    async close() {
      clearInterval(alive)
      await opened.close()
    },
  }
}
