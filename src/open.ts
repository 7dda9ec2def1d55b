import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { bucketUrl } from './config/bucket-url.ts'
import type { LoadedConfig } from './config/load-config.ts'
import type { Clock } from './core/clock.ts'
import { createFailure, SurefootError } from './core/failure.ts'
import type { Derivatives } from './derivatives/contract.ts'
import { createDerivatives } from './derivatives/derivatives.ts'
import { systemClock } from './engine/clock.ts'
import type { Engine, Log } from './engine/contract.ts'
import { createEngine } from './engine/engine.ts'
import type { FileStore } from './files/contract.ts'
import { createDiskFiles } from './files/disk.ts'
import { createDownload } from './files/download.ts'
import { createOutsidePost } from './files/outside-post.ts'
import { createS3Files } from './files/s3.ts'
import { createSigner, type Signer } from './files/signing.ts'
import { createProviderLinks } from './http/links.ts'
import { createWebhookSender } from './http/webhooks-out.ts'
import { convertHeic } from './photos/convert-heic.ts'
import type { Store } from './store/contract.ts'
import { type FolderLock, lockFolder } from './store/lock.ts'
import { openSqliteStore } from './store/sqlite.ts'

/** Everything that stands on one data folder, opened and running. */
export interface Opened {
  readonly engine: Engine
  readonly store: Store
  readonly files: FileStore
  /** Other formats of splats, made when they are asked for. */
  readonly derivatives: Derivatives
  readonly signer: Signer
  readonly clock: Clock
  readonly lock: FolderLock
  /** Stops the engine, then closes the store and gives the folder back. Running work stays where it is and is picked up on the next start. */
  close(): Promise<void>
}

export interface OpenOptions {
  /** A command, which keeps no deployment warm. Default false. */
  readonly passing?: boolean
  /** Requests drive the engine, in turns of so long at most (`Engine.turn`); nothing runs between them. Default null: loops do. */
  readonly byRequests?: { readonly turnMs: number } | null
}

/**
 * Opens a data folder and starts the engine on it: as its only owner, or, with a database URL, beside other processes of
 * this machine. Fails with a `SurefootError` of status 409 when another process owns the folder, of 503 when the database
 * is not there, with `storage_full` or `input_invalid` (fault `config`) when the folder cannot be made or written; then
 * nothing stays open.
 */
export async function openDataFolder(
  config: LoadedConfig,
  log: Log,
  { passing = false, byRequests = null }: OpenOptions = {},
): Promise<Opened> {
  const alone = config.database === null
  const lock = alone ? await lockFolder(config.dataDirectory).catch(refuseFolder(config)) : sharedFolder
  let origin = config.publicUrl ?? originOf(config)
  const closing: (() => Promise<void>)[] = [lock.release]
  const close = async () => {
    while (closing.length > 0) await closing.pop()?.()
  }
  try {
    const store = await openStore(config).catch(alone ? refuseFolder(config) : undefined)
    closing.push(store.close)
    const files = openFiles(config)
    const signer = createSigner(await store.secret('links'))
    const derivatives = createDerivatives({ files, clock: systemClock })
    closing.push(derivatives.stop)
    const webhooks = createWebhookSender({
      secret: await store.secret('webhooks'),
      outside: createOutsidePost({ trustedOrigins: config.webhookOrigins }),
      signer,
      clock: systemClock,
      routes: config.routes,
      derivatives,
      origin: () => origin,
      log,
    })
    const engine = createEngine({
      name: `engine-${randomUUID()}`,
      alone,
      store,
      files,
      download: createDownload({ clock: systemClock }),
      routes: config.routes,
      links: createProviderLinks(signer, config.publicUrl),
      serverKey: await store.secret('markers'),
      clock: systemClock,
      random: Math.random,
      newId,
      fetch: globalThis.fetch,
      notify: webhooks.send,
      checkWebhook: webhooks.check,
      convertHeic,
      keepLocation: config.keepLocation,
      retention: config.retention,
      log,
      keepsWarm: !passing,
      ...(byRequests ?? {}),
    })
    closing.push(engine.stop)
    if (byRequests === null) await engine.start()
    return {
      engine,
      store,
      files,
      derivatives,
      signer,
      clock: systemClock,
      lock: {
        ...lock,
        async announce(owner) {
          // Port 0 in the config becomes a real one only now.
          origin = config.publicUrl ?? owner.url
          await lock.announce(owner)
        },
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function openFiles({ bucket, publicUrl, dataDirectory }: LoadedConfig): FileStore {
  if (bucket === null) return createDiskFiles({ directory: join(dataDirectory, 'files') })
  const { outside, ...files } = createS3Files(bucket)
  return bucketUrl(bucket, publicUrl) === null ? files : { ...files, outside }
}

/** Nobody owns it, and commands need no owner's URL: they open the database themselves. */
const sharedFolder: FolderLock = { announce: async () => {}, release: async () => {} }

/** What SQLite found in a file that is there: it is damaged, or no database. */
function isDatabaseFault(cause: unknown): boolean {
  return cause instanceof Error && 'errcode' in cause
}

/** Throws what the system says about the data folder as a sentence for whoever named it; everything else as it is. */
function refuseFolder({ dataDirectory }: LoadedConfig): (error: unknown) => never {
  return error => {
    if (SurefootError.is(error) && error.failure.code === 'internal' && isDatabaseFault(error.cause)) {
      const { message, advice } = error.failure
      const words = `The data folder ${dataDirectory} cannot be used: ${message}`
      throw new SurefootError(createFailure('input_invalid', words, { fault: 'config', advice }), {
        status: 503,
        cause: error,
      })
    }
    if (!(error instanceof Error && 'code' in error)) throw error
    const isFull =
      error.code === 'ENOSPC' || error.code === 'EDQUOT' || ('errcode' in error && error.errcode === sqliteFull)
    const failure = createFailure(
      isFull ? 'storage_full' : 'input_invalid',
      `The data folder ${dataDirectory} cannot be used: ${error.message}.`,
      {
        fault: 'config',
        advice: isFull ? 'Make room there, or use another data folder.' : 'Correct it, or use another data folder.',
      },
    )
    throw new SurefootError(failure, { status: isFull ? 507 : 503, cause: error })
  }
}

/** https://sqlite.org/rescode.html#full */
const sqliteFull = 13

async function openStore({ dataDirectory, database }: LoadedConfig): Promise<Store> {
  if (database !== null) return await (await import('./store/postgres.ts')).openPostgresStore({ url: database })
  const store = await openSqliteStore({ path: join(dataDirectory, 'surefoot.db') })
  try {
    // Whoever held leases is dead: the lock says so.
    await store.voidLeases()
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

function originOf({ host, port }: LoadedConfig): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** 26 characters of base 32: 128 bits from the system's generator, in the alphabet of Replicate's ids. */
export function newId(): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  let bits = BigInt(`0x${randomBytes(17).toString('hex')}`)
  let id = ''
  for (let length = 0; length < 26; length++) {
    id += alphabet[Number(bits & 31n)]
    bits >>= 5n
  }
  return id
}
