import type { PredictionEvent } from '../core/events.ts'
import { createFailure, type Failure, SurefootError } from '../core/failure.ts'
import type { Observation } from '../core/observation.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import { keptKey, keptText, uploadKey } from '../core/upload.ts'
import type { FileStore } from '../files/contract.ts'
import type { Io } from '../providers/contract.ts'
import { asOutputFailure } from './collect.ts'
import type { Uploads } from './uploads.ts'

/**
 * Files that stand inside one answer of a provider. Each goes into the store as it comes, beside the attempt's upload and
 * under a name of its own: what an answer that broke off, or told of anything but a success, had brought must never be taken
 * for the output. Only once the answer is read does its observation name the one file that is; the others go.
 */
export interface KeptFiles {
  readonly keep: NonNullable<Io['keep']>
  /** The answer held none, as most do. */
  isEmpty(): boolean
  /** The observation as records keep it. One whose file could not be kept is a failure, or, with `again`, thrown: it is asked once more. */
  settle(observation: Observation, options?: { readonly again?: boolean }): Promise<Observation>
  /** Takes away what was kept. Never rejects. */
  drop(): Promise<void>
}

type Kept = { readonly key: string } | { readonly failure: Failure }

export interface KeptFilesDependencies {
  readonly uploads: Pick<Uploads, 'put'>
  readonly files: Pick<FileStore, 'remove'>
  readonly newId: () => string
}

/** Of one call about one attempt; its signal ends what is under way. */
export function createKeptFiles(
  { uploads, files, newId }: KeptFilesDependencies,
  attemptId: string,
  signal: AbortSignal,
): KeptFiles {
  const kept = new Map<string, Kept>()

  async function take(id: string, bytes: AsyncIterable<Uint8Array>): Promise<Kept> {
    const key = keptKey(attemptId, id)
    try {
      const result = await uploads.put(attemptId, key.slice(uploadKey(attemptId, '').length), bytes, { signal })
      if (result.kind === 'stored') return { key }
      return { failure: createFailure('output_lost', 'The attempt had ended before its output came.') }
    } catch (error) {
      const named = asOutputFailure(error)
      if (!SurefootError.is(named)) throw named
      return { failure: named.failure }
    }
  }

  async function drop(): Promise<void> {
    for (const file of kept.values()) if ('key' in file) await files.remove(file.key).catch(() => {})
    kept.clear()
  }

  return {
    drop,
    isEmpty: () => kept.size === 0,
    async keep(bytes) {
      const id = newId()
      kept.set(keptText(id), await take(id, bytes))
      return keptText(id)
    },
    async settle(observation, { again = false } = {}) {
      // The first is the one that is collected.
      const [first] = observation.outputs ?? []
      const file = first?.kind === 'stored' ? kept.get(first.key) : undefined
      if (first?.kind === 'stored') kept.delete(first.key)
      await drop()
      if (file !== undefined && 'key' in file && signal.aborted) await files.remove(file.key)
      signal.throwIfAborted()
      if (file === undefined) return observation
      const { outputs: _, ...rest } = observation
      if ('key' in file) return { ...rest, outputs: [{ kind: 'stored', key: file.key }] }
      if (again && !ofTheFile.has(file.failure.code)) throw new SurefootError(file.failure)
      return observation.status === 'succeeded' ? { ...rest, status: 'failed', failure: file.failure } : rest
    },
  }
}

/** What asking again does not change; anything else is a fault of ours or of the moment. */
const ofTheFile: ReadonlySet<string> = new Set(['output_lost', 'output_invalid', 'output_too_large'])

/**
 * Removes the file that an answer has brought where its record knows nothing of it: it was taken in after the attempt's end,
 * or beside another one. Never rejects.
 */
export async function dropUnknown(
  files: Pick<FileStore, 'remove'>,
  record: PredictionRecord,
  event: PredictionEvent,
): Promise<void> {
  const key = unknownKey(record, event)
  if (key !== null) await files.remove(key).catch(() => {})
}

function unknownKey({ attempts, output }: PredictionRecord, event: PredictionEvent): string | null {
  // Of two collects of one upload, each has a copy; as long as neither has won, the other may be verifying this one.
  if (event.type === 'collected') {
    const hasWon = attempts.some(({ id, state }) => id === event.attempt && state === 'won')
    return hasWon && output !== null && output.key !== event.output.key ? event.output.key : null
  }
  if (event.type !== 'started' && event.type !== 'observed' && event.type !== 'heard') return null
  const [file] = event.seen?.observation.outputs ?? []
  if (file?.kind !== 'stored' || !file.key.startsWith(keptKey(event.attempt, ''))) return null
  const attempt = attempts.find(({ id }) => id === event.attempt)
  const isKnown = attempt?.outputs?.some(output => output.kind === 'stored' && output.key === file.key)
  return isKnown === true ? null : file.key
}
