import { z } from 'zod'
import { refuse, SurefootError } from '../core/failure.ts'
import type { ResumableWrites, Resumption } from './contract.ts'
import { checkKey } from './keys.ts'
import { receive } from './receive.ts'
import type { S3Access } from './s3-client.ts'
import { readFault, toS3Error } from './s3-failure.ts'
import { type BegunUpload, type ConditionalWrites, createObjectWriter } from './s3-writer.ts'
import type { Turns } from './turns.ts'
import { withSignal } from './with-signal.ts'

/** Where what was left is noted: in a folder of its own, so that it can be listed. */
const notesFolder = 'partial'

/** What is kept of a write that has not ended, as an object beside the files: `partial/<key>`. */
const noteSchema = z.object({
  upload: z.object({ id: z.string(), parts: z.array(z.object({ etag: z.string(), bytes: z.number() })).readonly() }),
  total: z.number(),
  validator: z.string(),
})
type Note = z.infer<typeof noteSchema>

/** Stands for what is no note of ours: the file is brought from its beginning. */
const unreadable: Note = { upload: { id: '', parts: [] }, total: 0, validator: '' }

/** S3's words for a multipart upload with which there is no going on. */
const useless = new Set(['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall'])

/** What the file store has in common with its resumable writes. */
export interface ResumableDependencies {
  readonly access: () => Promise<S3Access>
  readonly conditional: ConditionalWrites
  readonly turns: Turns
  readonly partBytes: number
  has(key: string): Promise<boolean>
  remove(key: string): Promise<void>
  list(folder: string): AsyncIterable<{ readonly key: string }>
}

/**
 * Resumable writes in a bucket: a multipart upload whose id and parts are noted after each part, so that a process
 * that is killed loses one part at most. Two processes that go on with the same upload send the same bytes as the same parts;
 * should a store name these otherwise (encryption with keys of its own), it refuses to join them, and the file is brought anew.
 * A note that is overwritten by an older one costs parts that are sent again, never wrong bytes: what is joined are the parts
 * that whoever joins them has sent, or read in a note.
 */
export function createResumableWrites(dependencies: ResumableDependencies): ResumableWrites {
  const { access, conditional, turns, partBytes, has, remove, list } = dependencies
  const noteKey = (key: string) => `${notesFolder}/${key}`

  async function readNote(key: string): Promise<Note | null> {
    checkKey(key)
    const { sdk, client, at, bucket } = await access()
    try {
      const { Body } = await client.send(new sdk.GetObjectCommand(at(noteKey(key))))
      return parseNote((await Body?.transformToString()) ?? '')
    } catch (error) {
      const { status, name } = readFault(error)
      if (status === 404 && name !== 'NoSuchBucket') return null
      throw toS3Error(error, bucket)
    }
  }

  async function writeNote(key: string, note: Note, signal: AbortSignal | undefined): Promise<void> {
    const { sdk, client, at, call } = await access()
    const command = new sdk.PutObjectCommand({ ...at(noteKey(key)), Body: JSON.stringify(note) })
    await call(() => client.send(command, signal === undefined ? {} : { abortSignal: signal }))
  }

  /** With `only`, unless the note is of another upload. */
  async function drop(key: string, only?: string): Promise<void> {
    const note = await readNote(key)
    if (note === null || note.upload.id !== (only ?? note.upload.id)) return
    const { sdk, client, at, bucket } = await access()
    try {
      if (note !== unreadable)
        await client.send(new sdk.AbortMultipartUploadCommand({ ...at(key), UploadId: note.upload.id }))
    } catch (error) {
      if (readFault(error).status !== 404) throw toS3Error(error, bucket)
    }
    await remove(noteKey(key))
  }

  /** The upload to go on with; what was left of another file goes. */
  async function takeUp(key: string, { from, total, validator }: Resumption): Promise<BegunUpload | undefined> {
    const note = await readNote(key)
    if (note?.validator === validator && note.total === total && bytesOf(note.upload) === from) return note.upload
    if (from > 0) refuse('provider_unreachable', 'Somebody else has gone on with the file meanwhile.')
    await drop(key)
    return undefined
  }

  return {
    drop: key => drop(key),
    async left(key) {
      const note = await readNote(key)
      const from = note === null ? 0 : bytesOf(note.upload)
      return note === null || from === 0 ? null : { from, total: note.total, validator: note.validator }
    },
    async write(key, body, resumption, { signal, onProgress }) {
      const { from, total, validator } = resumption
      const close = async () => {
        // Begun and left: a generator that was never begun would not close what it reads from.
        for await (const _ of withSignal(body, signal)) break
      }
      checkKey(key)
      signal?.throwIfAborted()
      if (await has(key)) {
        await close()
        await drop(key)
        return { kind: 'exists' }
      }
      const begun = await takeUp(key, resumption).catch(async error => {
        await close()
        throw error
      })
      let uploadId = begun?.id
      const writer = createObjectWriter(await access(), key, conditional, {
        partBytes,
        signal,
        begun,
        async onPart(upload) {
          uploadId = upload.id
          // The last part is joined at once, and a note that says that nothing is missing would be of no use.
          if (bytesOf(upload) < total) await writeNote(key, { upload, total, validator }, signal)
          if (upload.parts.length > 0) onProgress?.()
        },
      })
      const limits = { bytes: total - from, maxBytes: Infinity, ...(signal !== undefined && { signal }) }
      try {
        const { sha256 } = await receive(body, limits, writer.write)
        signal?.throwIfAborted()
        const isOurs = await turns.take(key, async () => !(await has(key)) && (await writer.finish()))
        onProgress?.()
        // The file is there; a note that stays behind is found and dropped later.
        if (isOurs) await remove(noteKey(key)).catch(() => {})
        else await drop(key)
        return isOurs ? { kind: 'stored', bytes: total, sha256: from === 0 ? sha256 : null } : { kind: 'exists' }
      } catch (error) {
        if (!SurefootError.is(error) || !useless.has(readFault(error.cause).name)) throw error
        await drop(key, uploadId)
        // Somebody else has joined the parts: then they are gone because all is well.
        if (await has(key)) return { kind: 'exists' }
        throw error
      }
    },
    async *unfinished() {
      for await (const { key } of list(notesFolder)) yield key.slice(notesFolder.length + 1)
    },
  }
}

function bytesOf({ parts }: BegunUpload): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0)
}

function parseNote(text: string): Note {
  try {
    return noteSchema.parse(JSON.parse(text))
  } catch {
    return unreadable
  }
}
