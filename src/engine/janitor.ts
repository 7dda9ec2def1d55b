import type { Clock } from '../core/clock.ts'
import { derivedFolder, derivedRoot, keptBytesOf, type Retention, withoutData } from '../core/retention.ts'
import type { FileStore } from '../files/contract.ts'
import type { FileRow, Store, StoredPrediction } from '../store/contract.ts'
import type { Log } from './contract.ts'
import { dropLeftovers, type LeftoversDependencies } from './leftovers.ts'
import { startLoop } from './loop.ts'
import type { Orphans } from './orphans.ts'
import type { PendingFiles } from './pending-files.ts'

export interface JanitorDependencies {
  readonly store: Pick<Store, 'commit' | 'deleteUnneeded' | 'oldestFiles' | 'oldestKept' | 'keptBytes'>
  readonly files: Pick<FileStore, 'remove' | 'list'>
  readonly retention: Retention
  readonly now: () => number
  readonly log: Log
}

/** What one round removed. */
export interface Swept {
  readonly predictions: number
  readonly files: number
}

const batch = 50
const everyMs = 10 * 60_000

export interface Janitor {
  start(): void
  /** One round. Never rejects. */
  round(): Promise<void>
  /** Resolves when the round that is under way has ended. */
  stop(): Promise<void>
}

/** Keeps house from its start on: at once, and again every ten minutes. */
export function createJanitor(
  dependencies: JanitorDependencies &
    LeftoversDependencies & {
      readonly clock: Clock
      readonly pendingFiles: Pick<PendingFiles, 'sweep'>
      readonly orphans: Orphans
    },
): Janitor {
  const { clock, log, retention, pendingFiles, orphans } = dependencies
  const isLimited = retention.ageMs !== null || retention.bytes !== null
  const round = async () => {
    await pendingFiles.sweep()
    await dropLeftovers(dependencies)
    if (isLimited) await sweep(dependencies)
    await orphans.round()
  }
  const report = (error: unknown) => log('warn', 'Housekeeping failed; it is tried again.', { error: String(error) })
  let first: Promise<void> = Promise.resolve()
  let end = async () => {}
  return {
    round: () => round().catch(report),
    start() {
      first = round().catch(report)
      end = startLoop(clock, everyMs, round, report)
    },
    async stop() {
      await end()
      await first
    },
  }
}

/**
 * One round of housekeeping: removes the input and output of settled predictions, and stored files, that are older than
 * the retention says or beyond its bytes, oldest first. What a prediction still needs stays: its data are looked at only
 * once it is settled, and files are held for as long as one may ask for them. Of a prediction the bytes go first and the mark
 * follows, so that a process that dies between the two leaves work for the next round and no output that nobody knows of.
 * Any number of processes may do this at once. Rejects when the store fails; the next round goes on.
 */
export async function sweep(dependencies: JanitorDependencies): Promise<Swept> {
  const { retention, now, log } = dependencies
  const swept = { predictions: 0, files: 0 }

  async function removeAll(predictions: readonly StoredPrediction[], files: readonly FileRow[]): Promise<void> {
    for (const stored of predictions) if (await removeData(dependencies, stored)) swept.predictions += 1
    for (const { id } of files) if (await removeFile(dependencies, id)) swept.files += 1
  }

  if (retention.ageMs !== null) {
    const query = { before: now() - retention.ageMs, now: now(), limit: batch }
    for (let found = batch; found === batch; ) {
      const [predictions, files] = await oldest(dependencies, query)
      const before = swept.predictions + swept.files
      await removeAll(predictions, files)
      // What could not be removed, because somebody else was faster, is not asked for again and again.
      found = swept.predictions + swept.files === before ? 0 : Math.max(predictions.length, files.length)
    }
  }
  if (retention.bytes !== null) {
    const allowed = retention.bytes - (await trimDerived(dependencies, retention.bytes))
    for (let kept = await dependencies.store.keptBytes(); kept > allowed; ) {
      const [predictions, files] = await oldest(dependencies, {
        before: now(),
        now: now(),
        limit: batch,
        withOutput: true,
      })
      const enough = oldestUpTo(kept - allowed, predictions, files)
      const before = swept.predictions + swept.files
      await removeAll(enough.predictions, enough.files)
      if (swept.predictions + swept.files === before) break
      kept = await dependencies.store.keptBytes()
    }
  }
  if (swept.predictions + swept.files > 0) log('info', 'Data that were kept long enough are removed.', { ...swept })
  return swept
}

/** What can be made again goes first, where all together is too much. Answers how many bytes of it are left. */
async function trimDerived({ store, files }: JanitorDependencies, most: number): Promise<number> {
  let derived = 0
  for await (const { bytes } of files.list(derivedRoot)) derived += bytes
  let excess = derived === 0 ? 0 : (await store.keptBytes()) + derived - most
  if (excess <= 0) return derived
  for await (const { key, bytes } of files.list(derivedRoot)) {
    if (excess <= 0) break
    await files.remove(key)
    excess -= bytes
    derived -= bytes
  }
  return derived
}

async function oldest(
  { store }: JanitorDependencies,
  query: { readonly before: number; readonly now: number; readonly limit: number; readonly withOutput?: boolean },
): Promise<readonly [readonly StoredPrediction[], readonly FileRow[]]> {
  return await Promise.all([store.oldestKept(query), store.oldestFiles(query)])
}

/** The oldest of both, until they have as many bytes as there are too many. */
function oldestUpTo(excess: number, predictions: readonly StoredPrediction[], files: readonly FileRow[]) {
  const chosen = { predictions: [] as StoredPrediction[], files: [] as FileRow[] }
  let left = excess
  for (let p = 0, f = 0; left > 0; ) {
    const prediction = predictions[p]
    const file = files[f]
    if (prediction !== undefined && (file === undefined || prediction.record.createdAt <= file.createdAt)) {
      chosen.predictions.push(prediction)
      left -= keptBytesOf(prediction.record) ?? 0
      p += 1
    } else if (file !== undefined) {
      chosen.files.push(file)
      left -= file.bytes
      f += 1
    } else break
  }
  return chosen
}

async function removeData(
  { store, files, now }: JanitorDependencies,
  { record, version }: StoredPrediction,
): Promise<boolean> {
  // What was made of them goes with them; where another prediction has the same ones it is made again when it is asked for.
  for (const { sha256 } of [...Object.values(record.files), ...(record.output === null ? [] : [record.output])])
    for await (const { key } of files.list(derivedFolder(sha256))) await files.remove(key)
  if (record.output !== null) await files.remove(record.output.key)
  const [outcome] = await store.commit([
    { record: withoutData(record, now()), version, nextAt: null, reservations: [], lease: 'unchanged' },
  ])
  return outcome === 'committed'
}

async function removeFile({ store, files, now }: JanitorDependencies, id: string): Promise<boolean> {
  const deleted = await store.deleteUnneeded(id, now())
  if (deleted?.freed != null) await files.remove(deleted.freed)
  return deleted !== null
}
