import { isOver } from '../core/attempt.ts'
import type { Seen } from '../core/events.ts'
import type { OutputReference } from '../core/prediction.ts'
import { uploadFolder, uploadKey } from '../core/upload.ts'
import type { FileStore, PutOptions, PutResult } from '../files/contract.ts'
import type { Store } from '../store/contract.ts'
import type { Route } from './contract.ts'
import { isLoser } from './pending-effects.ts'

/** What became of an upload: stored, or refused because one is there already, nobody knows the attempt, or it is over. */
export type UploadResult = PutResult | { readonly kind: 'unknown' } | { readonly kind: 'over' }

/** Outputs that kits bring by themselves. */
export interface Uploads {
  /** Takes one in. An attempt that has ended without winning gets no file, also when it ends while the bytes come. */
  put(
    attemptId: string,
    name: string,
    body: AsyncIterable<Uint8Array>,
    options: Omit<PutOptions, 'maxBytes'>,
  ): Promise<UploadResult>
  /** What a kit has brought for this attempt, whatever the provider says; null when there is nothing. */
  find(attemptId: string): Promise<OutputReference | null>
  /** Takes away what it has brought, and files of its answers; all but one, where one is named. */
  remove(attemptId: string, except?: string): Promise<void>
}

/** Most bytes of an upload whose model is no longer in the config. */
const orphanLimit = 1_000_000_000

export function createUploads(
  store: Pick<Store, 'predictionOf' | 'get'>,
  files: Pick<FileStore, 'put' | 'stat' | 'remove' | 'list'>,
  routes: ReadonlyMap<string, Route>,
): Uploads {
  /** From the store: what this process holds in memory may be older than another one's news. */
  async function look(attemptId: string): Promise<{ readonly model: string; readonly isOver: boolean } | null> {
    const id = await store.predictionOf(attemptId)
    const record = id === null ? null : (await store.get(id))?.record
    const attempt = record?.attempts.find(candidate => candidate.id === attemptId)
    return record == null || attempt === undefined ? null : { model: record.model, isOver: isLoser(attempt) }
  }

  /** A former try may have left a file: its process can have died before it saw the end. */
  async function refuseOver(attemptId: string, name: string): Promise<UploadResult> {
    await files.remove(uploadKey(attemptId, name))
    return { kind: 'over' }
  }

  return {
    async put(attemptId, name, body, options) {
      const before = await look(attemptId)
      if (before === null) return { kind: 'unknown' }
      if (before.isOver) return await refuseOver(attemptId, name)
      const maxBytes = routes.get(before.model)?.model.output.maxBytes ?? orphanLimit
      const result = await files.put(uploadKey(attemptId, name), body, { ...options, maxBytes })
      // Whoever ended it meanwhile found nothing to remove.
      return (await look(attemptId))?.isOver ? await refuseOver(attemptId, name) : result
    },
    async find(attemptId) {
      const key = uploadKey(attemptId)
      return (await files.stat(key)) === null ? null : { kind: 'stored', key }
    },
    async remove(attemptId, except) {
      for await (const { key } of files.list(uploadFolder(attemptId))) if (key !== except) await files.remove(key)
    },
  }
}

/**
 * What a provider said, with what its kit had brought before: a run that is reported lost or failed after its output has
 * arrived is not paid again.
 */
export async function withUpload(uploads: Pick<Uploads, 'find'>, attemptId: string, seen: Seen): Promise<Seen> {
  const { status, outputs } = seen.observation
  if (!isOver(status) || (outputs ?? []).length > 0) return seen
  const upload = await uploads.find(attemptId).catch(() => null)
  return upload === null ? seen : { ...seen, upload }
}
