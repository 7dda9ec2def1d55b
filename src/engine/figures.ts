import type { Retention } from '../core/retention.ts'
import type { FileStore } from '../files/contract.ts'
import type { Store } from '../store/contract.ts'
import type { Deployment, EngineFigures } from './contract.ts'
import type { Journal } from './create-journal.ts'
import type { Driver } from './driver.ts'
import type { Insight } from './insight.ts'

export interface FiguresDependencies {
  readonly store: Pick<Store, 'standing' | 'keptBytes'>
  readonly files: Pick<FileStore, 'room'>
  readonly driver: Pick<Driver, 'pulse' | 'now'>
  readonly insight: Pick<Insight, 'breaker' | 'spentToday'>
  readonly journal: Pick<Journal, 'tally' | 'outage'>
  readonly retention: Retention
  readonly deployments: readonly Deployment[]
  /** Milliseconds since 1970, by this process's clock. */
  readonly clockNow: () => number
}

/** However many ask, the store is asked this seldom: what is open takes milliseconds to count, what is kept may take a second. */
const standingForMs = 5_000
const keptForMs = 5 * 60_000
/** A store that fails for so long will not take what comes next either. */
const outageMs = 15_000

/** What an operator watches, and whether new work should come here. */
export function createFigures(dependencies: FiguresDependencies): {
  read(): Promise<EngineFigures>
  obstacle(): Promise<string | null>
} {
  const { store, files, driver, insight, journal, retention, deployments, clockNow } = dependencies
  const standing = createCached(clockNow, standingForMs, store.standing)
  const kept = createCached(clockNow, keptForMs, store.keptBytes)

  async function room(): Promise<number | null> {
    return (await files.room?.()) ?? null
  }

  return {
    async read() {
      const { running, held, leaseUntil } = driver.pulse()
      const now = driver.now()
      // A store that is away must not hide what this process knows.
      const orNull = <T>(value: Promise<T>): Promise<T | null> => value.catch(() => null)
      const [stored, keptBytes, roomBytes] = await Promise.all([orNull(standing()), orNull(kept()), orNull(room())])
      return {
        tally: journal.tally,
        held,
        leaseLeftMs: running ? Math.max(0, leaseUntil - now) : null,
        isStoreFailing: journal.outage.since() !== null,
        deployments: deployments.map(({ name, concurrency }) => ({
          name,
          concurrency,
          breaker: insight.breaker(name, now).state,
        })),
        spentToday: insight.spentToday(),
        stored,
        keptBytes,
        keptLimit: retention.bytes,
        roomBytes,
        spareBytes: retention.spareBytes,
      }
    },
    async obstacle() {
      const { running, leaseUntil } = driver.pulse()
      const lateMs = driver.now() - leaseUntil
      if (running && lateMs >= 0)
        return `The leases ran out ${inSeconds(lateMs)} ago and could not be renewed: the store is slow, or this process too busy.`
      const failingMs = clockNow() - (journal.outage.since() ?? clockNow())
      if (failingMs >= outageMs) return `The store has taken nothing for ${inSeconds(failingMs)}.`
      const free = await room()
      if (free !== null && free < retention.spareBytes) return sayFull(free, retention.spareBytes)
      return null
    },
  }
}

/** Why there is too little room for new files, in bytes. */
export function sayFull(room: number, spareBytes: number): string {
  return `Only ${Math.floor(room / 1e6)} MB are free for files; ${Math.ceil(spareBytes / 1e6)} MB are kept free for what runs already.`
}

/** Asks again once the last answer, or failure, is so old; whoever asks meanwhile gets that one. */
function createCached<T>(now: () => number, forMs: number, read: () => Promise<T>): () => Promise<T> {
  let asked: { readonly at: number; readonly answer: Promise<T> } | null = null
  return () => {
    if (asked === null || now() - asked.at >= forMs) asked = { at: now(), answer: read() }
    return asked.answer
  }
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}
