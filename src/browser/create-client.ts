import type { PredictionJson } from '../http/shapes.ts'
import { follow } from './follow.ts'
import { askJson, type Connection, type HeaderFields, post } from './request.ts'
import type { Surroundings } from './surroundings.ts'
import { type UploadOptions, upload } from './upload.ts'

export interface ClientOptions {
  /** Where the gateway's API is, without `/v1`. Default: `/api/surefoot`, where the Next.js mount has it. */
  readonly url?: string
  /**
   * Sent with each request to the gateway, such as a short-lived token of the visitor; a function is asked each time. Never to
   * where files are uploaded. Default: none; cookies go to the page's own origin by themselves.
   */
  readonly headers?: HeaderFields | (() => HeaderFields | Promise<HeaderFields>)
  /** Default: the browser's. Uploads whose progress is shown go by `XMLHttpRequest` where there is one. */
  readonly fetch?: typeof fetch
}

export interface CreateRequest {
  /** `owner/name`. */
  readonly model: string
  /** The model's fields. A `Blob` or `File` is uploaded first; a file field also takes the id of an upload. */
  readonly input: Readonly<Record<string, unknown>>
  /** The same key never starts a second prediction. Default: a fresh one, under which lost answers are asked for again. */
  readonly idempotencyKey?: string
}

export interface CallOptions {
  /** Ends the call; it then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The gateway as a page sees it. Every call fails with `ClientError`, or with the reason of its signal. All but `get` try again
 * what passes: no network, 5xx, 408, 425, 429.
 */
export interface Client {
  /** Stores a file for a file field of a prediction; used or not, it is removed after a while. */
  upload(file: Blob, options?: UploadOptions): Promise<{ readonly id: string }>
  /**
   * Answers once the prediction is stored, long before its end. `onProgress` is of its uploads together. The signal ends uploads;
   * a request that may have arrived already is followed unseen, and what it made is cancelled: nobody would know it. Under a key
   * of the caller's it is left, to be asked for again.
   */
  create(request: CreateRequest, options?: UploadOptions): Promise<PredictionJson>
  get(id: string, options?: CallOptions): Promise<PredictionJson>
  /** Asks for the end of a prediction; one that has ended stays what it was. */
  cancel(id: string, options?: CallOptions): Promise<PredictionJson>
  /**
   * The prediction now and after each change, until it has ended, through cut streams, lost networks, sleep and restarts of the
   * gateway. Fails where the gateway refuses: 401, 403, 404.
   */
  watch(id: string, options?: CallOptions): AsyncIterable<PredictionJson>
}

/** A client in surroundings of one's own. */
export function createClientIn(around: Surroundings, options: ClientOptions = {}): Client {
  const { url = '/api/surefoot', headers = {}, fetch = around.fetch } = options
  const surroundings = { ...around, fetch }
  const connection: Connection = {
    surroundings,
    url: url.replace(/\/+$/, ''),
    headers: typeof headers === 'function' ? headers : () => headers,
  }
  const pathOf = (id: string) => `/v1/predictions/${encodeURIComponent(id)}`
  const cancel: Client['cancel'] = (id, { signal } = {}) => post(connection, `${pathOf(id)}/cancel`, { signal })

  return {
    upload: (file, uploading = {}) => upload(connection, file, uploading),
    async create({ model, input, idempotencyKey }, { signal, onProgress } = {}) {
      const body = { model, input: await uploadBlobs(connection, input, { signal, onProgress }) }
      signal?.throwIfAborted()
      const headers = { 'idempotency-key': idempotencyKey ?? newKey() }
      return await new Promise<PredictionJson>((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
        post<PredictionJson>(connection, '/v1/predictions', { headers, body })
          .then(made => (signal?.aborted && !idempotencyKey ? cancel(made.id).then(resolve) : resolve(made)))
          .catch(reject)
      })
    },
    get: (id, { signal } = {}) => askJson(connection, pathOf(id), { signal }),
    cancel,
    watch: (id, { signal } = {}) => follow(connection, id, signal),
  }
}

/** The input with the ids of its files in place of them, which are sent one after the other. */
async function uploadBlobs(
  connection: Connection,
  input: CreateRequest['input'],
  { signal, onProgress }: UploadOptions,
): Promise<Record<string, unknown>> {
  const files = Object.entries(input).filter((entry): entry is [string, Blob] => entry[1] instanceof Blob)
  const total = files.reduce((sum, [, { size }]) => sum + size, 0)
  const sent = { ...input }
  let before = 0
  for (const [field, file] of files) {
    const report = onProgress && ((fraction: number) => onProgress((before + fraction * file.size) / total))
    sent[field] = (await upload(connection, file, { signal, onProgress: report })).id
    before += file.size
  }
  return sent
}

/** 128 bits. Not by `randomUUID`, which pages without https do not have. */
function newKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-')
}
