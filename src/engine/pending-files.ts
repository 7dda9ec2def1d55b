import { invariant, refuse, SurefootError } from '../core/failure.ts'
import { mostBytesOf, refuseLarge } from '../core/file-limits.ts'
import { toFileName } from '../core/file-name.ts'
import type { FileStore } from '../files/contract.ts'
import type { FileRow, PendingFile, Store } from '../store/contract.ts'
import type { FilePlace, PlaceRequest } from './contract.ts'
import { digest, dropTwin, fileFolder, fileKey, toMediaType } from './inputs.ts'

/**
 * Files that their owners upload by themselves, as browsers do. Until a file is used there is only a place for it: a row that
 * promises its length. With a bucket the bytes go to a key that only the place has, `pending/<id>`, and whoever has that link
 * may write there again until it ends; at the first use they are copied to a key to which no such link ever led, and hashed
 * there. Else they come through the gateway. Either way whoever brings bytes chooses a key of its own, so that one that is
 * late replaces nothing; the store makes the file of its place once, with the key that was hashed.
 */
export interface PendingFiles {
  add(request: PlaceRequest): Promise<FilePlace>
  /**
   * `exists`: another one was complete before. `unknown`: there is no such place (any more). Fails with `input_invalid` for
   * another media type or length than was promised; then the place is as it was.
   */
  put(
    id: string,
    body: AsyncIterable<Uint8Array>,
    options: {
      readonly mediaType: string
      /** Length that the sender states; not read where it is not what was promised. */
      readonly bytes?: number
      readonly signal?: AbortSignal
    },
  ): Promise<'stored' | 'exists' | 'unknown'>
  find(id: string, may: (row: { readonly owner: string }) => boolean): Promise<FileRow | null>
  /** Forgets places that are over, with what lies there. */
  sweep(): Promise<void>
}

export interface PendingFilesDependencies {
  readonly store: Pick<
    Store,
    'getFile' | 'addPendingFile' | 'getPendingFile' | 'takePendingFile' | 'oldestPendingFiles' | 'deletePendingFile'
  >
  readonly files: FileStore
  readonly newId: () => string
  readonly now: () => number
}

const linkMs = 3_600_000
/** How much longer than its link a place is kept: what was uploaded in time may be used, and a slow upload has ended. */
const usableMs = 3_600_000
/** By then every request has ended that began while it was not over: what is still there belongs to nobody. */
const sweptAfterMs = 3_600_000
const batch = 50

export function createPendingFiles({ store, files, newId, now }: PendingFilesDependencies): PendingFiles {
  const takingIn = new Map<string, Promise<FileRow | null>>()

  function ownKey({ key }: PendingFile): string {
    const name = key.lastIndexOf('/')
    return `${key.slice(0, name)}/${newId()}${key.slice(name)}`
  }

  /** Makes the file of its place of what lies at `key`. `unknown`: it was deleted, or the place is over. */
  async function become(place: PendingFile, key: string, sha256: string): Promise<'stored' | 'exists' | 'unknown'> {
    const stored = await store.takePendingFile({ ...place, key, sha256, createdAt: now(), expiresAt: null })
    if (stored !== null) {
      await dropTwin(files, key, stored)
      return 'stored'
    }
    const file = await store.getFile(place.id)
    // Left to the sweep: another file may share the key of the one that was deleted.
    if (file === null) return 'unknown'
    if (file.key === key) return 'stored'
    await files.remove(key)
    return 'exists'
  }

  /** What a process brought that died before it could make the file, or is about to. */
  async function findBrought({ id }: PendingFile): Promise<string | null> {
    for await (const { key } of files.list(fileFolder(id))) return key
    return null
  }

  /** Where the bytes lie that nobody replaces any more; null where there are none. */
  async function bring(place: PendingFile): Promise<string | null> {
    const { id, bytes } = place
    const brought = await findBrought(place)
    if (brought !== null) return brought
    const key = ownKey(place)
    const taken = await files.outside?.take(pendingKey(id), key, { maxBytes: bytes, bytes }).catch(asInputFault)
    // Another process may have been faster: it removes the upload once its copy is there.
    return taken === 'taken' ? key : await findBrought(place)
  }

  async function takeIn(place: PendingFile): Promise<FileRow | null> {
    const key = await bring(place)
    const found = key === null ? null : await digest(files, key)
    if (key !== null && found !== null) {
      await become(place, key, found.sha256)
      return await store.getFile(place.id)
    }
    return (await store.getFile(place.id)) ?? refuseMissing(place.id)
  }

  function takeInOnce(place: PendingFile): Promise<FileRow | null> {
    const taking = takingIn.get(place.id) ?? takeIn(place).finally(() => takingIn.delete(place.id))
    takingIn.set(place.id, taking)
    return taking
  }

  return {
    async add({ owner, limits, name, mediaType, metadata, bytes, maxBytes }) {
      const most = mostBytesOf(limits, maxBytes)
      if (bytes > most) refuseLarge(most)
      const id = newId()
      const until = now() + linkMs
      const type = toMediaType(mediaType)
      const place: PendingFile = {
        ...{ id, owner, bytes, mediaType: type, key: fileKey(id, name), name: toFileName(name) },
        metadata: JSON.stringify(metadata),
        expiresAt: until + usableMs,
      }
      const url = await files.outside?.writeUrl(pendingKey(id), until, { bytes, mediaType: type })
      await store.addPendingFile(place, limits?.storedBytes ?? null)
      return { id, url: url ?? null, mediaType: type, until }
    },
    async put(id, body, { mediaType, bytes: stated, signal }) {
      const place = await store.getPendingFile(id)
      if (place === null) return (await store.getFile(id)) === null ? 'unknown' : 'exists'
      if (mediaType !== place.mediaType)
        refuse('input_invalid', `The file was announced as ${place.mediaType}; send that as its Content-Type.`)
      const { bytes } = place
      const key = ownKey(place)
      if (stated !== undefined && stated !== bytes)
        refuse('input_invalid', `The file was announced with ${bytes} bytes, and ${stated} are sent.`)
      const put = await files.put(key, body, { maxBytes: bytes, bytes, ...(signal && { signal }) }).catch(asInputFault)
      invariant(put.kind === 'stored', `the key ${key} is taken`)
      return await become(place, key, put.sha256)
    },
    async find(id, may) {
      const file = await store.getFile(id)
      if (file !== null) return may(file) ? file : null
      const place = await store.getPendingFile(id)
      if (place !== null) return may(place) ? await takeInOnce(place) : null
      const late = await store.getFile(id)
      return late !== null && may(late) ? late : null
    },
    async sweep() {
      for (let found = batch; found === batch; ) {
        const places = await store.oldestPendingFiles({ before: now() - sweptAfterMs, limit: batch })
        for (const { id, key: own } of places) {
          await files.remove(pendingKey(id))
          for await (const { key } of files.list(fileFolder(id))) if (key !== own) await files.remove(key)
          const freed = await store.deletePendingFile(id)
          if (freed !== null) await files.remove(freed)
        }
        found = places.length
      }
    },
  }
}

/** Where a link to write leads: nothing that anybody relies on lies there. */
function pendingKey(id: string): string {
  return `pending/${id}`
}

function refuseMissing(id: string): never {
  return refuse('input_invalid', `Nothing has been uploaded for file ${id} yet.`, {
    status: 409,
    advice: 'PUT its bytes to the address that came with its id, and repeat this.',
  })
}

/** Whoever uploads is told that its own file is not as it said. */
function asInputFault(error: unknown): never {
  if (!SurefootError.is(error) || error.failure.code !== 'output_invalid') throw error
  return refuse('input_invalid', error.failure.message, { cause: error })
}
