/**
 * Bytes by key: streams in and out, never whole files in memory. Keys are `[A-Za-z0-9._-]` segments joined by `/`.
 * A key holds either a whole file or nothing: no half file is ever visible under it.
 */
export interface FileStore {
  /**
   * Writes a file. The first complete write of a key wins: a later one answers `exists` and changes nothing.
   * Fails with `SurefootError`: `input_too_large` over `maxBytes`, `output_invalid` when `bytes` or `sha256` were promised
   * and differ, `storage_full` when the disk is full. After a failure nothing stays behind.
   */
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<PutResult>
  /** Takes over a file of this machine by renaming it (copying across disks); same rules as `put`. */
  adopt(key: string, path: string, options: PutOptions): Promise<PutResult>
  /** The file, or a part of it; null when there is none. `range.end` is inclusive and may lie beyond the end. */
  open(key: string, range?: { start: number; end?: number }): Promise<OpenedFile | null>
  stat(key: string): Promise<{ readonly bytes: number } | null>
  /** No error when there is none. */
  remove(key: string): Promise<void>
  /**
   * Every file whose key begins with `folder/`, in the order of keys; with `after`, which need not be there, only those
   * behind it. What changes meanwhile may be missed, and what is named may be gone.
   */
  list(folder: string, after?: string): AsyncIterable<ListedFile>
  /** Bytes for which there is room. Absent where nobody can say, as with a bucket. */
  room?(): Promise<number>
  /** Path on this machine's disk, for engines that run here; null on remote storage. */
  path(key: string): string | null
  /** Where others read from and write to the store without us; absent where only this process can. */
  readonly outside?: OutsideAccess
  /** Absent where what a process has not finished goes with it. */
  readonly resumable?: ResumableWrites
}

/**
 * Writes that another process goes on with after the first one has died: only what had not yet been stored is brought again.
 * A key that is written so stays as invisible as ever until it is whole.
 *
 * @example
 * const after = await resumable.left(key)
 * const { body, resumption } = await download(url, { ...options, ...(after !== null && { after }) })
 * if (resumption !== undefined) await resumable.write(key, body, resumption, {})
 */
export interface ResumableWrites {
  /** Where to go on with this key; null where nothing was left. */
  left(key: string): Promise<Resumption | null>
  /**
   * Writes what comes from `resumption.from` on; with 0 what was left of another file goes. As with `put` the first complete
   * write wins. After a failure, an abort included, what was stored so far stays until `drop`. Fails with `output_invalid` for
   * a body of another length, with `provider_unreachable` where others have gone on meanwhile, or the store has lost its
   * parts: then another try, from where `left` says, may work.
   */
  write(
    key: string,
    body: AsyncIterable<Uint8Array>,
    resumption: Resumption,
    options: { readonly signal?: AbortSignal; readonly onProgress?: () => void },
  ): Promise<ResumedResult>
  /** Gives up what was left of a key. No error when there is nothing. */
  drop(key: string): Promise<void>
  /** Every key of which something is left, in no order. */
  unfinished(): AsyncIterable<string>
}

/** `sha256` is null where an earlier process had brought the beginning. */
export type ResumedResult =
  | { readonly kind: 'stored'; readonly bytes: number; readonly sha256: string | null }
  | { readonly kind: 'exists' }

/**
 * Links that work without us. Whoever holds a link to write may write again until it ends, so nothing that others rely on
 * may lie where one leads: `take` copies it to a key that never had such a link.
 */
export interface OutsideAccess {
  /** Anybody may GET the file there until then (milliseconds since 1970); it comes with this name and media type. */
  readUrl(key: string, until: number, as: { readonly name: string; readonly mediaType: string }): Promise<string>
  /** Anybody may PUT a file there until then; with `exactly` only one of that length and with that Content-Type header. */
  writeUrl(
    key: string,
    until: number,
    exactly?: { readonly bytes: number; readonly mediaType: string },
  ): Promise<string>
  /**
   * Copies what was PUT at `from`, as it is at one moment, to `to`, and removes it there. Of two that take to one key the late
   * one may replace what the other has read already: `to` is a key of the caller alone. `exists` when it is there already,
   * `missing` when nothing is at `from`. Fails with `input_too_large` over `maxBytes`, with `output_invalid` when `bytes` were
   * promised and differ; then it stays at `from`.
   */
  take(
    from: string,
    to: string,
    options: Pick<PutOptions, 'maxBytes' | 'bytes' | 'signal'>,
  ): Promise<'taken' | 'exists' | 'missing'>
}

/** A bucket of S3 or of something that speaks its API. */
export interface S3Options {
  readonly bucket: string
  /** As the vendor names it: `eu-central-1`, `auto` on R2 and Tigris, `us-east-1` where a server has none. */
  readonly region: string
  /** Origin of the API, `https://host`. Default: AWS's for the region. */
  readonly endpoint?: string
  /** The same API as workers and callers outside reach it, where that differs. Default `endpoint`. */
  readonly publicEndpoint?: string
  /** What every key begins with, without a slash at either end. Default: nothing. */
  readonly prefix?: string
  /** Bucket in the path instead of in the host name. Default: where `endpoint` is given. */
  readonly pathStyle?: boolean
  /** Checksums of the newer SDKs with every request, which some servers refuse. Default false: where S3 demands one. */
  readonly checksums?: boolean
  /** Default: what the AWS SDK finds (environment, shared files, the machine's role). */
  readonly credentials?: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly sessionToken?: string
  }
}

export interface PutOptions {
  readonly maxBytes: number
  /** Promised length, where the sender stated one. */
  readonly bytes?: number
  /** Promised lower-case hex digest, where the sender stated one. */
  readonly sha256?: string
  readonly signal?: AbortSignal
}

export type PutResult =
  | { readonly kind: 'stored'; readonly bytes: number; readonly sha256: string }
  | { readonly kind: 'exists' }

export interface ListedFile {
  readonly key: string
  readonly bytes: number
}

export interface OpenedFile {
  readonly body: ReadableStream<Uint8Array>
  /** Bytes in `body`. */
  readonly bytes: number
  /** Bytes of the whole file. */
  readonly total: number
}

/** Where a file is gone on with that was brought in part. */
export interface Resumption {
  /** How many bytes are there already. */
  readonly from: number
  /** Of the whole file. */
  readonly total: number
  /** Strong ETag (RFC 9110, section 8.8.3): whoever states the same one has the same bytes. */
  readonly validator: string
}

/** Fetches a URL from outside as a stream, safely: see `download.ts`. */
export type Download = (url: string, options: DownloadOptions) => Promise<Downloaded>

export interface DownloadOptions {
  readonly maxBytes: number
  /** Origins that may be private or loopback addresses; everything else must be public. */
  readonly trustedOrigins: readonly string[]
  readonly signal: AbortSignal
  /** What is there already. Only the rest is asked for; where it is not to be had, the body is the whole file. Default: nothing. */
  readonly after?: Resumption
}

export interface Downloaded {
  /** The file, from `resumption.from` on. */
  readonly body: AsyncIterable<Uint8Array>
  readonly mediaType: string | null
  /** Of the whole file, where stated. */
  readonly bytes: number | null
  /** What to go on with, should this be cut off. Absent where nothing would tell whether the file has changed meanwhile. */
  readonly resumption?: Resumption
  /** File name from the URL's last path segment, decoded and cleaned. */
  readonly name: string
}

/** Posts to a URL from outside, as safely as `Download` fetches: see `outside-post.ts`. */
export interface OutsidePost {
  /** Refuses with `input_invalid` what can be seen from the URL alone never to be posted to: a private address in it, say. */
  check(url: string): void
  /**
   * Answers the HTTP status; a redirect is an answer like any other, and bodies are not read. Fails with `input_invalid` for
   * an address that is refused, with `provider_unreachable` for a network that fails, and with the signal's reason.
   */
  post(url: string, options: PostOptions): Promise<number>
}

export interface PostOptions {
  readonly headers: { readonly [name: string]: string }
  readonly body: string
  readonly signal: AbortSignal
}
