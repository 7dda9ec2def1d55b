import { decodeMessage, encodeMessage, type Message } from '../../wire/protobuf.ts'
import { frame, grpcStatus, unframe } from './grpc.ts'
import { rpcMessages } from './messages.ts'

/** A client middleware of `nice-grpc`, as far as it must be known here. */
export type GrpcMiddleware = (
  call: { readonly method: { readonly path: string }; readonly request: object },
  options: {
    readonly signal?: AbortSignal
    readonly metadata?: Iterable<[string, readonly (string | Uint8Array)[]]>
    readonly onTrailer?: (trailer: { get(name: string): string | Uint8Array | undefined }) => void
  },
) => AsyncGenerator<never, object, undefined>

/**
 * Carries the RPCs of the vendor's SDK over a `fetch`, where there is no HTTP/2: to an emulator in virtual time. What
 * comes back fails as the SDK's own transport makes it fail.
 */
export function grpcOverFetch(fetch: typeof globalThis.fetch, origin: string = 'http://modal.test'): GrpcMiddleware {
  return async function* overFetch({ method: { path }, request }, { signal, metadata, onTrailer }) {
    const messages = rpcMessages[path.split('/').at(-1) ?? '']
    if (messages === undefined) throw clientError(path, grpcStatus.unimplemented, 'Not emulated')
    const headers = new Headers({ 'content-type': 'application/grpc+proto', te: 'trailers' })
    for (const [name, values] of metadata ?? [])
      for (const value of values) if (typeof value === 'string') headers.append(name, value)
    const body = frame(encodeMessage(messages.request, { ...request }))
    let response: Response
    let content: Uint8Array
    try {
      response = await fetch(`${origin}${path}`, { method: 'POST', headers, body, ...(signal ? { signal } : {}) })
      content = await response.bytes()
    } catch (error) {
      signal?.throwIfAborted()
      throw clientError(path, grpcStatus.unavailable, connectionWords(error))
    }
    const details = response.headers.get('grpc-status-details-bin')
    if (details !== null)
      onTrailer?.({ get: name => (name === 'grpc-status-details-bin' ? Buffer.from(details, 'base64') : undefined) })
    const status = statusOf(response)
    const message = unframe(content)
    if (status !== grpcStatus.ok || message === null) {
      const words = decodeURI(response.headers.get('grpc-message') ?? '')
      throw clientError(path, status, words || wordsOf(response))
    }
    return withDefaults(decodeMessage(messages.response, message))
  }
}

/** As @grpc/grpc-js words them: it could not connect, or a connection broke. */
function connectionWords(error: unknown): string {
  const { code, message } = { code: '', message: '', ...causeOf(error) }
  return code === 'ECONNREFUSED' ? `No connection established. Last error: ${message}` : `read ${code || 'ECONNRESET'}`
}

function causeOf(error: unknown): { code?: string; message?: string } {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Error ? { message: cause.message, code: 'code' in cause ? String(cause.code) : '' } : {}
}

/**
 * Where the server said no status, HTTP's stands for one; and a page with 200 is read as a message, whose first letters
 * are an enormous length. Source: @grpc/grpc-js, mapHttpStatusCode and its stream decoder.
 */
function statusOf({ headers, status }: Response): number {
  const told = headers.get('grpc-status')
  if (told !== null) return Number(told)
  if (status === 200) return grpcStatus.resourceExhausted
  if (status === 401) return grpcStatus.unauthenticated
  if (status === 403) return grpcStatus.permissionDenied
  if (status === 404) return grpcStatus.unimplemented
  if (status === 400) return grpcStatus.internal
  return [429, 502, 503, 504].includes(status) ? grpcStatus.unavailable : grpcStatus.unknown
}

function wordsOf({ status }: Response): string {
  if (status === 200) return 'Received message larger than max (560230243 vs 104857600)'
  return `Received HTTP status code ${status}`
}

/** The SDK's own code for messages sets numbers that are absent to zero. */
function withDefaults(message: Message): Message {
  return 'outputs' in message ? { numUnfinishedInputs: 0, ...message } : message
}

function clientError(path: string, code: number, details: string): Error {
  const error = new Error(`${path} ${code}: ${details}`)
  return Object.assign(error, { name: 'ClientError', path, code, details, '@@nice-grpc': true })
}
