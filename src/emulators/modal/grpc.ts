import { encodeMessage } from '../../wire/protobuf.ts'
import { waitHeaders } from '../answers.ts'
import type { Wording } from '../misbehave.ts'
import { retryDetails, retryPolicy } from './messages.ts'

/** gRPC's statuses that occur here. */
export const grpcStatus = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const

/**
 * An answer of gRPC as a `Response`: what travels in trailers stands in the headers `grpc-*`, from where whoever serves it
 * takes them.
 */
export function grpcAnswer(message: Uint8Array<ArrayBuffer>): Response {
  return new Response(frame(message), { headers: { 'content-type': 'application/grpc+proto', 'grpc-status': '0' } })
}

/** The same for a call that failed. `retryAfterSecs`: the server asks to wait so long. */
export function grpcFailure(status: number, words: string, retryAfterSecs?: number): Response {
  const headers = new Headers({
    'content-type': 'application/grpc+proto',
    'grpc-status': String(status),
    'grpc-message': words.replace(/[^\x20-\x24\x26-\x7e]/g, encodeURIComponent),
  })
  if (retryAfterSecs !== undefined) {
    const value = encodeMessage(retryPolicy, { retryAfterSecs })
    const details = { code: status, details: [{ typeUrl: 'type.googleapis.com/modal.client.RPCRetryPolicy', value }] }
    headers.set('grpc-status-details-bin', Buffer.from(encodeMessage(retryDetails, details)).toString('base64'))
  }
  return new Response(null, { headers })
}

/** A message with gRPC's prefix: not compressed, four bytes of length. */
export function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(5 + message.byteLength)
  new DataView(framed.buffer).setUint32(1, message.byteLength)
  framed.set(message, 5)
  return framed
}

/** The message inside a framed body; null when it is not one whole message. */
export function unframe(body: Uint8Array): Uint8Array | null {
  if (body.byteLength < 5 || body[0] !== 0) return null
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1)
  return body.byteLength === 5 + length ? body.subarray(5) : null
}

/** Statuses as HTTP would say them, in gRPC's; the words are ours, Modal's are not known. */
const refusals: { readonly [status: number]: readonly [number, string] } = {
  401: [grpcStatus.unauthenticated, 'Token ID or secret is not valid'],
  402: [grpcStatus.failedPrecondition, 'The workspace has reached its billing limit'],
  403: [grpcStatus.permissionDenied, 'The workspace is disabled'],
  404: [grpcStatus.notFound, 'No such object'],
  409: [grpcStatus.aborted, 'Conflict'],
  413: [grpcStatus.invalidArgument, 'The input is too large'],
  422: [grpcStatus.invalidArgument, 'Invalid request'],
  500: [grpcStatus.internal, 'Internal error'],
  503: [grpcStatus.unavailable, 'Service unavailable'],
}

/** What every vendor says, as the API says it. There is no form for a date; one is told as seconds. */
export const grpcWording: Wording = {
  refusal(status) {
    const [code, words] = refusals[status] ?? [grpcStatus.unknown, 'Error']
    return grpcFailure(code, words)
  },
  throttled(form, waitSeconds, now) {
    const hint = form === 'body' ? `, try again in ${waitSeconds} seconds` : ''
    const wait = Number(waitHeaders(form === 'date' ? 'seconds' : form, waitSeconds, now)['retry-after'])
    const words = `Resource exhausted: too many requests${hint}`
    return grpcFailure(grpcStatus.resourceExhausted, words, Number.isNaN(wait) ? undefined : wait)
  },
}
