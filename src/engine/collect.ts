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
  /** Hears when bytes have been stored that the next collect need not bring again. */
  readonly onProgress?: () => void
}

/**
 * Brings a provider's output into our store and verifies it there. One key per attempt: a second collect after a crash
 * finds the file and only verifies it, or, in a store that can, goes on with a download where the first one ended. Throws `SurefootError`: `output_invalid`, `output_too_large`, `output_lost`,
 * `storage_full`, or `provider_unreachable` when trying again may help.
 */
export async function collectOutput(
  files: FileStore,
  download: Download,
  request: CollectRequest,
): Promise<StoredOutput> {
  const { model, outputs, signal } = request
  const [reference] = outputs
  if (reference === undefined) return refuse('output_lost', 'The provider named no output.')
  const key = outputKey(request, reference, files)
  const known = await bring(files, download, key, reference, request)
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

/**
 * Where an attempt's output lies: one key per attempt; or where a kit has put it, unless others could write there again by
 * the link that the kit had.
 */
export function outputKey(
  { predictionId, attemptId, model }: Pick<CollectRequest, 'predictionId' | 'attemptId' | 'model'>,
  reference: OutputReference,
  { outside }: Pick<FileStore, 'outside'>,
): string {
  return reference.kind === 'stored' && outside === undefined
    ? reference.key
    : `${outputRoot}/${predictionId}/${attemptId}/${model.output.name}`
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

/** Answers the SHA-256 where it was taken on the way. */
async function bring(
  files: FileStore,
  download: Download,
  key: string,
  reference: OutputReference,
  request: CollectRequest,
): Promise<string | null> {
  const { maxBytes } = request.model.output
  const options = { maxBytes, signal: request.signal }
  try {
    switch (reference.kind) {
      case 'stored':
        await takeUpload(files, reference.key, key, options)
        return null
      case 'path':
        return digestOf(await files.adopt(key, reference.path, options))
      case 'data':
        return digestOf(await files.put(key, dataUriBytes(reference.uri), options))
      case 'url':
        return await bringByUrl(files, download, key, reference.url, request)
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
async function takeUpload(
  { outside }: FileStore,
  from: string,
  to: string,
  options: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  if ((await outside?.take(from, to, options)) === 'missing')
    refuse('output_lost', 'The upload that was announced is not there.')
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
