import { uploadRoot } from '../core/upload.ts'
import type { FileStore, ListedFile } from '../files/contract.ts'
import type { Store } from '../store/contract.ts'
import { outputRoot, ownerOfOutput } from './collect.ts'
import type { Log } from './contract.ts'

/**
 * Looks for files that attempts have brought and nobody needs. Whoever ends an attempt removes them; this is for a process
 * that died right then, and for what a worker uploads by its link when all is over.
 *
 * A search passes every file once, 200 in a round, and begins at a random place: where no process lives to see its end,
 * many of them together have looked everywhere. The next one begins a day after the last one's end.
 */
export interface Orphans {
  /** One round, shared by whoever asks while it is under way. Rejects when a store fails; then the next one begins a new search. */
  round(): Promise<void>
}

export interface OrphansDependencies {
  readonly store: Pick<Store, 'get' | 'predictionOf'>
  readonly files: Pick<FileStore, 'list' | 'remove' | 'outside'>
  /** True where no other process can be alive (an owned data folder). */
  readonly alone: boolean
  /** Random, as the ids of predictions and attempts are. */
  readonly newId: () => string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: Log
}

interface Search {
  readonly files: AsyncIterator<ListedFile>
  /** Somebody has been told of files whose predictions are not ours. */
  isTold: boolean
}

const batch = 200
const everyMs = 24 * 3_600_000

export function createOrphans({ store, files, alone, newId, now, log }: OrphansDependencies): Orphans {
  /** Another gateway's outputs may lie in a bucket, by mistake or by a copied configuration: gone, nobody could bring them back. */
  const isOursOnly = alone && files.outside === undefined
  let search: Search | null = null
  let nextAt = Number.NEGATIVE_INFINITY
  let running: Promise<void> | null = null

  /**
   * By the newest record, read after the file was seen: a file may be whole before its record knows of it, but no attempt
   * begins before it is stored. Until a prediction is settled its files are left to those who drive it.
   */
  async function isNeeded(key: string, search: Search): Promise<boolean> {
    const [folder, id = ''] = key.split('/')
    const predictionId = folder === uploadRoot ? await store.predictionOf(id) : ownerOfOutput(key).predictionId
    const stored = predictionId === null ? null : await store.get(predictionId)
    if (stored !== null) return stored.record.settledAt === null || stored.record.output?.key === key
    if (isOursOnly) return false
    if (!search.isTold)
      log('warn', 'Files belong to no prediction of this database. They stay: they may be those of another gateway.', {
        example: key,
      })
    search.isTold = true
    return true
  }

  /** Answers whether it has come to its end. */
  async function goOn(search: Search): Promise<boolean> {
    const removed = { files: 0, bytes: 0 }
    let isOver = false
    for (let seen = 0; seen < batch && !isOver; seen++) {
      const { value: file, done } = await search.files.next()
      isOver = done === true
      if (isOver || (await isNeeded(file.key, search))) continue
      await files.remove(file.key)
      removed.files += 1
      removed.bytes += file.bytes
    }
    if (removed.files > 0) log('info', 'Files that were left behind are removed.', removed)
    return isOver
  }

  async function round(): Promise<void> {
    if (search === null && now() < nextAt) return
    const current = search ?? { files: everyFile(files, newId()), isTold: false }
    search = null
    if (await goOn(current)) nextAt = now() + everyMs
    else search = current
  }

  return {
    round() {
      running ??= round().finally(() => {
        running = null
      })
      return running
    },
  }
}

/** From `start` on in each folder, then what lies before. */
async function* everyFile(files: Pick<FileStore, 'list'>, start: string): AsyncGenerator<ListedFile, void, undefined> {
  for (const folder of [outputRoot, uploadRoot]) yield* files.list(folder, `${folder}/${start}`)
  for (const folder of [outputRoot, uploadRoot])
    for await (const file of files.list(folder)) {
      if (file.key > `${folder}/${start}`) break
      yield file
    }
}
