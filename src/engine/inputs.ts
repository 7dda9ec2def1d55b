import { createHash } from 'node:crypto'
import { refuse, SurefootError } from '../core/failure.ts'
import { mostBytesOf, refuseFull } from '../core/file-limits.ts'
import { toFileName } from '../core/file-name.ts'
import type { Json, JsonObject } from '../core/json.ts'
import type { StoredInput } from '../core/prediction.ts'
import type { Download, FileStore } from '../files/contract.ts'
import type { FileField, Model, ReadableFile, Redaction } from '../models/contract.ts'
import type { FileRow, Store } from '../store/contract.ts'
import type { AddFileRequest, CreateRequest } from './contract.ts'
import { dataUriBytes } from './data-uri.ts'
import { redact } from './redact.ts'

export interface InputDependencies {
  readonly store: Pick<Store, 'putFile' | 'getFile' | 'deleteFile' | 'storedBytes'>
  readonly files: FileStore
  readonly download: Download
  readonly newId: () => string
  readonly now: () => number
  /** Makes a JPEG of a HEIC photo. */
  readonly convertHeic: ConvertPhoto
  /** Photos keep the coordinates of where they were taken. */
  readonly keepLocation: boolean
}

export type ConvertPhoto = (body: AsyncIterable<Uint8Array>, signal: AbortSignal) => AsyncIterable<Uint8Array>

/** A checked input: plain values, and files by field. */
export interface CheckedInput {
  readonly input: JsonObject
  readonly files: { readonly [field: string]: StoredInput }
  /** Ids of the files in `files`: they must outlast the prediction. */
  readonly used: readonly string[]
  /** Files that were stored for this request: nobody else knows of them, so they go when it comes to nothing. */
  readonly added: readonly FileRow[]
}

const mediaTypePattern = /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/

/**
 * Stores a file under a fresh id. Its name and media type come from outside, so what no header could carry goes. Where its owner
 * keeps all that it may, nothing is read.
 */
export async function addFile(
  dependencies: Pick<InputDependencies, 'files' | 'newId' | 'now'> & {
    readonly store: Pick<Store, 'putFile' | 'storedBytes'>
  },
  request: AddFileRequest,
  signal?: AbortSignal,
  id: string = dependencies.newId(),
): Promise<FileRow> {
  const { store, files, now } = dependencies
  const { limits, owner } = request
  const storedBytes = limits?.storedBytes ?? null
  if (storedBytes !== null && (await store.storedBytes(owner)) >= storedBytes) refuseFull(storedBytes)
  const key = fileKey(id, request.name)
  const maxBytes = mostBytesOf(limits, request.maxBytes)
  const put = await files.put(key, request.body, { maxBytes, ...(signal && { signal }) })
  const { bytes, sha256 } =
    put.kind === 'stored'
      ? put
      : ((await digest(files, key)) ?? refuse('internal', `The file ${key} vanished as it was stored.`))
  const row: FileRow = {
    id,
    owner,
    key,
    name: toFileName(request.name),
    mediaType: toMediaType(request.mediaType),
    bytes,
    sha256,
    metadata: JSON.stringify(request.metadata),
    createdAt: now(),
    expiresAt: null,
  }
  let stored: FileRow
  try {
    stored = await store.putFile(row, storedBytes)
  } catch (error) {
    // What was there already is somebody else's, who has its row.
    if (put.kind === 'stored') await files.remove(key)
    throw error
  }
  await dropTwin(files, key, stored)
  return stored
}

/** What the keys of everything begin with that was stored for a file, before a slash. */
export function fileFolder(id: string): string {
  return `files/${id}`
}

/** Where a file's bytes lie. */
export function fileKey(id: string, name: string): string {
  return `${fileFolder(id)}/${toKeySegment(toFileName(name))}`
}

/** A media type that a header can carry. */
export function toMediaType(stated: string): string {
  return mediaTypePattern.test(stated) ? stated : 'application/octet-stream'
}

/** Removes what came in at `key` where its owner has the same bytes already, under the key of what was stored. */
export async function dropTwin(files: FileStore, key: string, stored: FileRow): Promise<void> {
  if (stored.key === key) return
  // Unless somebody has lost them: then they are there again.
  if ((await files.stat(stored.key)) === null) {
    const own = await files.open(key)
    const { bytes, sha256 } = stored
    if (own !== null) await files.put(stored.key, own.body, { maxBytes: bytes, bytes, sha256 })
  }
  await files.remove(key)
}

/** A name as the last part of a key: workers elsewhere tell types by the end of a link's path. */
function toKeySegment(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]+/g, '_').slice(-100)
  return /^\.*$/.test(plain) ? 'file' : plain
}

/** What a file has that lies there already; null where there is none. */
export async function digest(files: FileStore, key: string): Promise<{ bytes: number; sha256: string } | null> {
  const opened = await files.open(key)
  if (opened === null) return null
  const hash = createHash('sha256')
  for await (const chunk of opened.body) hash.update(chunk)
  return { bytes: opened.total, sha256: hash.digest('hex') }
}

/**
 * Checks an input before anything is spent: its values by the model, its files by their bytes. Files given as URLs are
 * fetched, data URIs decoded, both into our store. Files that were stored for a request that is then refused are removed.
 */
export async function checkInput(
  dependencies: InputDependencies,
  model: Model,
  request: Pick<CreateRequest, 'owner' | 'limits' | 'input' | 'files' | 'newFiles'>,
  signal: AbortSignal,
): Promise<CheckedInput> {
  const given = new Map<string, Json>()
  const values: { [field: string]: Json } = {}
  for (const [field, value] of Object.entries(request.input)) {
    if (value === undefined) continue
    if (field in model.fileFields) given.set(field, value)
    else values[field] = value
  }
  const input: { [field: string]: Json | undefined } = { ...model.parseInput(values) }
  const files: { [field: string]: StoredInput } = {}
  const added: FileRow[] = []
  const used: string[] = []
  for (const field of Object.keys(request.files)) {
    if (!(field in model.fileFields))
      refuse('input_invalid', `${model.name} has no input file "${field}".`, { status: 422 })
  }
  try {
    for (const [field, rule] of Object.entries(model.fileFields)) {
      const value = given.get(field)
      let row = request.files[field]
      if (row === undefined && value !== undefined && value !== null) {
        row = await fetchFile(dependencies, request, field, value, rule, signal)
        added.push(row)
      }
      if (row === undefined) {
        if (rule.required)
          refuse('input_invalid', `The input needs "${field}": a file, its URL or a data URI.`, { status: 422 })
        continue
      }
      const { mediaType, facts, without, convert } = await rule.check(readable(dependencies.files, row))
      const change = convert ?? (dependencies.keepLocation ? undefined : without)
      if (change !== undefined) {
        const original = row
        row = await replace(dependencies, original, change, signal)
        const isNew = added.includes(original) || request.newFiles?.includes(original.id)
        // A file that its owner stored before stays what it is, and others may be using what became of it.
        if (isNew) {
          added.push(row)
          await removeFile(dependencies, original.id)
        }
      }
      used.push(row.id)
      files[field] = {
        key: row.key,
        name: row.name,
        mediaType: convert === undefined ? mediaType : 'image/jpeg',
        bytes: row.bytes,
        sha256: row.sha256,
        facts,
      }
      input[field] = typeof value === 'string' && /^https?:/i.test(value) ? value : `/v1/files/${row.id}`
    }
  } catch (error) {
    await discardFiles(dependencies, added)
    throw error
  }
  return { input, files, used, added }
}

/** Removes files of a request that came to nothing; never fails, because what led here is what must be told. */
export async function discardFiles(
  dependencies: Pick<InputDependencies, 'store' | 'files'>,
  rows: readonly Pick<FileRow, 'id'>[],
): Promise<void> {
  for (const { id } of rows) await removeFile(dependencies, id).catch(() => {})
}

/** Removes a stored file, and its bytes where no other file shares them. No error when there is none. */
export async function removeFile(
  { store, files }: { readonly store: Pick<Store, 'deleteFile'>; readonly files: FileStore },
  id: string,
): Promise<void> {
  const key = await store.deleteFile(id)
  if (key !== null) await files.remove(key)
}

async function fetchFile(
  dependencies: InputDependencies,
  { owner, limits }: Pick<CreateRequest, 'owner' | 'limits'>,
  field: string,
  value: Json,
  rule: FileField,
  signal: AbortSignal,
): Promise<FileRow> {
  if (typeof value !== 'string')
    return refuse('input_invalid', `"${field}" must be a file, its URL or a data URI.`, { status: 422 })
  const common = { owner, metadata: {}, maxBytes: rule.maxBytes, ...(limits && { limits }) }
  if (/^data:/i.test(value)) {
    return addFile(
      dependencies,
      { ...common, name: field, mediaType: 'application/octet-stream', body: dataUriBytes(value) },
      signal,
    )
  }
  if (!/^https?:/i.test(value))
    return refuse('input_invalid', `"${field}" must be a file, an http(s) URL or a data URI.`, { status: 422 })
  const { body, name, mediaType } = await dependencies
    .download(value, { maxBytes: mostBytesOf(limits, rule.maxBytes), trustedOrigins: [], signal })
    .catch(asInputFault)
  return addFile(dependencies, { ...common, name, mediaType: mediaType ?? 'application/octet-stream', body }, signal)
}

/** Where a file of the caller's cannot be had, the fault is not ours: its host does not answer, or not with the file. */
function asInputFault(error: unknown): never {
  if (!SurefootError.is(error) || error.failure.code !== 'provider_unreachable') throw error
  return refuse('input_invalid', error.failure.message, {
    advice: 'See that the URL can be reached from here, or upload the file instead.',
    status: 422,
    cause: error,
  })
}

/** What a converted photo may have: its pixels are limited, and noise takes a byte or two for each. */
const mostConvertedBytes = 100_000_000

/**
 * What a file is to be sent as, stored under an id that follows from the file's: one that is used again and again is
 * changed once.
 */
async function replace(
  dependencies: InputDependencies,
  row: FileRow,
  change: 'heic' | Redaction,
  signal: AbortSignal,
): Promise<FileRow> {
  const id = `${row.id}-sent`
  const known = await dependencies.store.getFile(id)
  if (known !== null && (await dependencies.files.stat(known.key)) !== null) return known
  const { body } = await readable(dependencies.files, row).open()
  const isHeic = change === 'heic'
  const request = {
    owner: row.owner,
    name: isHeic ? row.name.replace(/(\.hei[cf])?$/i, '.jpg') : row.name,
    mediaType: isHeic ? 'image/jpeg' : row.mediaType,
    metadata: {},
    body: isHeic ? dependencies.convertHeic(body, signal) : redact(body, change),
    maxBytes: isHeic ? mostConvertedBytes : row.bytes,
  }
  return await addFile(dependencies, request, signal, id)
}

function readable(files: FileStore, row: FileRow): ReadableFile {
  return {
    bytes: row.bytes,
    async open(range) {
      return (
        (await files.open(row.key, range)) ??
        refuse('input_invalid', `File ${row.id} is gone; upload it again.`, { status: 422 })
      )
    },
  }
}
