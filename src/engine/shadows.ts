import type { MigrationState } from '../core/migration.ts'
import { comparePair, type Pair } from '../core/migration-pairs.ts'
import { isTerminal } from '../core/prediction.ts'
import type { FileStore } from '../files/contract.ts'
import type { Store, StoredPrediction } from '../store/contract.ts'
import type { Log } from './contract.ts'

/** The shadow runs of one model: found by their reserved owner, compared with their originals once both have ended. */
export interface Shadows {
  /** Owner of every shadow run of the model. No caller has it, so that no caller's list shows them. */
  readonly owner: string
  /** A shadow run begins here: counted at once, until the store tells of it. */
  began(id: string): void
  /** It could not be stored after all. */
  failed(id: string): void
  /** How many are not over, as far as this process knows. */
  open(): number
  /** Whether so many were sent that more would tell nothing new, and only cost. */
  isFull(): boolean
  /** Every compared pair since the migration began, newest first, at most 200. */
  pairs(state: MigrationState): Promise<readonly Pair[]>
}

export interface ShadowDependencies {
  /** `owner/name`. */
  readonly model: string
  readonly store: Pick<Store, 'list' | 'get'>
  readonly files: Pick<FileStore, 'remove'>
  readonly log: Log
}

const remembered = 200

/**
 * Nothing of this is stored beside the predictions themselves: after a restart, and in every process, the same pairs are
 * read again. An output of a shadow run is only looked at by what its check found, so its file goes as soon as it is there.
 */
export function createShadows({ model, store, files, log }: ShadowDependencies): Shadows {
  const owner = `shadow:${model}`
  /** Of which migration the rest tells. */
  let startedAt: number | null = null
  /** Shadow runs that are over, with their pair where there is one. */
  const over = new Map<string, Over>()
  const open = new Set<string>()

  function forget(state: MigrationState): void {
    if (state.startedAt === startedAt) return
    startedAt = state.startedAt
    over.clear()
    open.clear()
  }

  async function look({ plan }: MigrationState, { record }: StoredPrediction): Promise<void> {
    const { id, shadowOf, status, output, createdAt } = record
    if (over.has(id)) return
    open.add(id)
    if (shadowOf === undefined || !isTerminal(status)) return
    const original = (await store.get(shadowOf))?.record
    if (original !== undefined && !isTerminal(original.status)) return
    if (output !== null) {
      await files
        .remove(output.key)
        .catch(error => log('warn', 'The output of a shadow run could not be removed.', { error: String(error) }))
    }
    const pair = original === undefined ? null : comparePair(original, record, plan)
    over.set(id, { pair, createdAt, wasSent: record.attempts.some(({ submittedAt }) => submittedAt !== null) })
    open.delete(id)
  }

  return {
    owner,
    began: id => void open.add(id),
    failed: id => void open.delete(id),
    open: () => open.size,
    isFull: () => open.size + [...over.values()].filter(({ wasSent }) => wasSent).length >= remembered,
    async pairs(state) {
      const isFirst = state.startedAt !== startedAt
      forget(state)
      if (!isFirst && state.stage.name !== 'shadow' && open.size === 0) return pairsOf(over)
      const shadows = await store.list({ owner, limit: remembered, createdAfter: state.startedAt })
      for (const shadow of shadows) await look(state, shadow)
      return pairsOf(over)
    },
  }
}

/** A shadow run that is over. */
interface Over {
  readonly pair: Pair | null
  readonly createdAt: number
  /** False: no money was left for it. */
  readonly wasSent: boolean
}

function pairsOf(over: ReadonlyMap<string, Over>): Pair[] {
  return [...over.values()].toSorted((a, b) => b.createdAt - a.createdAt).flatMap(({ pair }) => pair ?? [])
}
