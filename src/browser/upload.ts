import type { CreateUploadBody, UploadJson } from '../http/browser-upload-shapes.ts'
import { type Connection, persist, post, toClientError, toRefusal } from './request.ts'

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined
  /** Called with the share that was sent, 0 to 1; where the browser tells it, many times, else at the end. */
  readonly onProgress?: ((fraction: number) => void) | undefined
}

/** What is used of `XMLHttpRequest`, the only one that tells how much was sent. */
interface Xhr {
  readonly upload: { onprogress: ((event: { readonly loaded: number }) => void) | null }
  readonly status: number
  readonly responseText: string
  onload: (() => void) | null
  onerror: ((event: unknown) => void) | null
  onabort: ((event: unknown) => void) | null
  open(method: string, url: string): void
  setRequestHeader(name: string, value: string): void
  getAllResponseHeaders(): string
  send(body: Blob): void
  abort(): void
}

/**
 * Stores a file, by a signed address that takes the bytes without passing the app's own limits. What passes is tried again.
 * Fails with `ClientError`: with the gateway's code where it refuses the file, `refused` where the bucket does.
 */
export async function upload(
  connection: Connection,
  file: Blob,
  { signal, onProgress }: UploadOptions,
): Promise<{ readonly id: string }> {
  const { surroundings } = connection
  const body: CreateUploadBody = {
    filename: (file as Partial<File>).name || 'file',
    // What the file says of its characters is not for the gateway.
    type: file.type.split(';')[0] || 'application/octet-stream',
    bytes: file.size,
  }
  const place = await post<UploadJson>(connection, '/v1/files/uploads', { body, signal })
  await persist(surroundings, signal, async tried => {
    const response = await put(connection, place.upload, file, { signal, onProgress }).catch(cause => {
      throw toClientError(cause, signal)
    })
    // The answer of an earlier try was lost; the first complete one is kept.
    const isThere = tried > 0 && response.status === 409
    if (!response.ok && !isThere) throw await toRefusal(response)
  })
  onProgress?.(1)
  return { id: place.id }
}

async function put(
  { surroundings }: Connection,
  { url, headers }: UploadJson['upload'],
  body: Blob,
  { signal, onProgress }: UploadOptions,
): Promise<Response> {
  const { XMLHttpRequest } = globalThis as { XMLHttpRequest?: new () => Xhr }
  if (onProgress === undefined || XMLHttpRequest === undefined)
    return surroundings.fetch(url, { method: 'PUT', headers, body, signal: signal ?? null })

  signal?.throwIfAborted()
  const xhr = new XMLHttpRequest()
  return new Promise((resolve, reject) => {
    xhr.upload.onprogress = ({ loaded }) => onProgress(loaded / body.size)
    xhr.onload = () => {
      // A bucket of another origin may not show it, and asking for it by name would then be an error on the page's console.
      const after = /retry-after: (.*)/.exec(xhr.getAllResponseHeaders())?.[1] ?? ''
      const headers = { 'retry-after': after }
      resolve(new Response(xhr.responseText || null, { status: xhr.status, headers }))
    }
    xhr.onerror = xhr.onabort = reject
    xhr.open('PUT', url)
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value)
    signal?.addEventListener('abort', () => xhr.abort())
    xhr.send(body)
  })
}
