import { createHash } from 'node:crypto'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import { passingChunks } from '../core/passing-chunks.ts'
import type { OutputReference, StoredOutput } from '../core/prediction.ts'
import type { Download, FileStore, PutResult, ResumedResult } from '../files/contract.ts'
import type { Model, ReadableFile } from '../models/contract.ts'
import { dataUriBytes } from './data-uri.ts'

/** What collecting needs to know. */
export interface CollectRequest {
  readonly predictionId: string
  readonly attemptId: string
  readonly model: Model
  readonly outputs: readonly OutputReference[]
  readonly trustedOrigins: readonly string[]
  readonly signal: AbortSignal
  /** Fresh and unguessable. */
  readonly newId: () => string
  /** Hears when bytes have been stored that the next collect need not bring again. */
  readonly onProgress?: () => void
}

/**
 * Brings a provider's output into our store and verifies it there. A second collect of an attempt after a crash finds the
 * file and only verifies it, or, in a store that can, goes on with a download where the first one ended. What others could
 * write again is copied to a key of this collect alone, so that another one that is late does not replace what was verified.
 * Throws `SurefootError`: `output_invalid`, `output_too_large`, `output_lost`, `storage_full`, or `provider_unreachable` when
 * trying again may help.
 */
export async function collectOutput(
  files: FileStore,
  download: Download,
  request: CollectRequest,
): Promise<StoredOutput> {
  const { model, outputs, signal } = request
  const [reference] = outputs
  if (reference === undefined) return refuse('output_lost', 'The provider named no output.')
  const { key, sha256: known } = await bring(files, download, reference, request)
  signal.throwIfAborted()
  const stat = await files.stat(key)
  if (stat === null) return refuse('output_lost', 'The output vanished from the file store.')
  let sha256 = known
  const file: ReadableFile = {
    bytes: stat.bytes,
    async open(range) {
      const opened = await openOrLost(files, key, range)
      // On a disk of ours a second look costs next to nothing, and a plain stream would lose its one buffer.
      if (sha256 !== null || range !== undefined || files.path(key) !== null) return opened
      return { ...opened, body: ReadableStream.from(hashed(opened.body, signal, digest => (sha256 = digest))) }
    },
  }
  const verdict = await model.verify(file)
  if (!verdict.valid) {
    await files.remove(key)
    throw new SurefootError(verdict.failure)
  }
  return {
    key,
    name: model.output.name,
    mediaType: model.output.mediaType,
    bytes: stat.bytes,
    sha256: sha256 ?? (await digest(files, key, signal)),
    facts: verdict.facts,
  }
}

/** What has been collected, one folder for each prediction. */
export const outputRoot = 'outputs'

/** Whose output is meant. */
export type OutputOwner = Pick<CollectRequest, 'predictionId' | 'attemptId' | 'model'>

function outputFolder({ predictionId, attemptId }: OutputOwner): string {
  return `${outputRoot}/${predictionId}/${attemptId}`
}

/** Where an attempt's output is brought that its kit has not uploaded. */
export function outputKey(owner: OutputOwner): string {
  return `${outputFolder(owner)}/${owner.model.output.name}`
}

/** Removes what collects have brought of this output. No error when there is nothing. */
export async function removeOutput(
  files: Pick<FileStore, 'list' | 'remove' | 'outside'>,
  owner: OutputOwner,
  reference: OutputReference,
): Promise<void> {
  if (reference.kind !== 'stored') return await files.remove(outputKey(owner))
  if (files.outside === undefined) return await files.remove(reference.key)
  for await (const { key } of files.list(outputFolder(owner))) await files.remove(key)
}

/** Whose output lies at this key, if it is one of `outputKey`. */
export function ownerOfOutput(key: string): { readonly predictionId: string; readonly attemptId: string } {
  const [, predictionId = '', attemptId = ''] = key.split('/')
  return { predictionId, attemptId }
}

async function openOrLost(files: FileStore, key: string, range?: { start: number; end?: number }) {
  return (await files.open(key, range)) ?? refuse('output_lost', 'The output vanished from the file store.')
}

async function digest(files: FileStore, key: string, signal: AbortSignal): Promise<string> {
  let sha256 = ''
  const { body } = await openOrLost(files, key)
  for await (const _ of hashed(passingChunks(body), signal, digest => (sha256 = digest)));
  return sha256
}

/** The same chunks; once all of them are read, their SHA-256 is told. */
async function* hashed(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  tell: (sha256: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256')
  for await (const chunk of body) {
    signal.throwIfAborted()
    hash.update(chunk)
    yield chunk
  }
  tell(hash.digest('hex'))
}

/** Answers where it lies, and its SHA-256 where that was taken on the way. */
async function bring(
  files: FileStore,
  download: Download,
  reference: OutputReference,
  request: CollectRequest,
): Promise<{ readonly key: string; readonly sha256: string | null }> {
  const { maxBytes } = request.model.output
  const options = { maxBytes, signal: request.signal }
  const key = outputKey(request)
  try {
    switch (reference.kind) {
      case 'stored':
        return { key: await takeUpload(files, reference.key, request), sha256: null }
      case 'path':
        return { key, sha256: digestOf(await files.adopt(key, reference.path, options)) }
      case 'data':
        return { key, sha256: digestOf(await files.put(key, dataUriBytes(reference.uri), options)) }
      case 'url':
        return { key, sha256: await bringByUrl(files, download, key, reference.url, request) }
    }
  } catch (error) {
    throw asOutputFailure(error)
  }
}

/** Downloads an output, or the rest of it; one that is whole already is not asked for again, for its URL may have ended. */
async function bringByUrl(
  files: FileStore,
  download: Download,
  key: string,
  url: string,
  { model, signal, trustedOrigins, onProgress }: CollectRequest,
): Promise<string | null> {
  if ((await files.stat(key)) !== null) return null
  const { resumable } = files
  const { maxBytes } = model.output
  const after = (await resumable?.left(key)) ?? undefined
  const found = await download(url, { maxBytes, signal, trustedOrigins, ...(after !== undefined && { after }) })
  const { body, bytes, resumption } = found
  if (resumable !== undefined && resumption !== undefined)
    return digestOf(await resumable.write(key, body, resumption, { signal, ...(onProgress && { onProgress }) }))
  const put = await files.put(key, body, bytes === null ? { maxBytes, signal } : { maxBytes, signal, bytes })
  if (after !== undefined) await resumable?.drop(key)
  return digestOf(put)
}

/** From where a link to write leads to where none does; in a store without such links it stays where it is. */
async function takeUpload(files: FileStore, from: string, request: CollectRequest): Promise<string> {
  const { outside } = files
  if (outside === undefined) return from
  const before = await findTaken(files, request)
  if (before !== null) return before
  const { model, signal, newId } = request
  const to = `${outputFolder(request)}/${newId()}/${model.output.name}`
  const took = await outside.take(from, to, { maxBytes: model.output.maxBytes, signal })
  if (took !== 'missing') return to
  // Another process may have been faster: it removes the upload once its copy is there.
  return (await findTaken(files, request)) ?? refuse('output_lost', 'The upload that was announced is not there.')
}

/** A copy that an earlier collect took: whole, and written once. */
async function findTaken(files: FileStore, owner: OutputOwner): Promise<string | null> {
  for await (const { key } of files.list(outputFolder(owner))) if (key !== outputKey(owner)) return key
  return null
}

/** `exists`: an earlier collect of this attempt got as far as the file; it is verified like any other. */
function digestOf(put: PutResult | ResumedResult): string | null {
  return put.kind === 'stored' ? put.sha256 : null
}

/** Downloading speaks of inputs and providers; here the same faults concern an output. */
export function asOutputFailure(error: unknown): unknown {
  if (!SurefootError.is(error)) return error
  const { code, message } = error.failure
  if (code === 'input_too_large') return new SurefootError(createFailure('output_too_large', message), { cause: error })
  if (code === 'input_invalid') return new SurefootError(createFailure('output_lost', message), { cause: error })
  return error
}
