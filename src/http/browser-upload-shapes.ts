/** Body of `POST /v1/files/uploads`: what is going to be uploaded. */
export interface CreateUploadBody {
  readonly filename: string
  /** Media type, without parameters. */
  readonly type: string
  /** Exact size. */
  readonly bytes: number
  readonly metadata?: Readonly<Record<string, unknown>>
}

/**
 * The answer: a place for one file. The bytes are PUT to `upload.url` with exactly `upload.headers`, straight into the
 * bucket where there is one. Then `id` is that of a file: it may stand in a file field of `input`, as may `urls.get`.
 *
 * @example
 * const { id, upload } = (await response.json()) as UploadJson
 * await fetch(upload.url, { method: upload.method, headers: upload.headers, body: photo })
 */
export interface UploadJson {
  readonly id: string
  readonly upload: {
    readonly method: 'PUT'
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
  }
  /** Until then the PUT must have begun; ISO 8601 in UTC. The file must be used within an hour more. */
  readonly expires_at: string
  readonly urls: { readonly get: string }
}
