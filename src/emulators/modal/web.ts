import { json, waitHeaders } from '../answers.ts'
import type { Wording } from '../misbehave.ts'
import { type Call, resultStatus } from './call.ts'

/** The query by which the place of a result names its call. */
export const callKey: string = '__modal_function_call_id'

/** Modal's own words for what happens before, or instead of, the function. Source: what users show of them. */
function own(status: number, words: string, headers: { [name: string]: string } = {}): Response {
  return new Response(`modal-http: ${words}`, { status, headers: { 'content-type': 'text/plain', ...headers } })
}

const refusals: { readonly [status: number]: string } = {
  401: 'missing credentials for proxy authorization',
  402: 'workspace has reached its billing limit',
  403: 'workspace is disabled',
  404: 'invalid function call',
  409: 'conflict',
  413: 'request body too large',
  422: 'bad request',
  500: 'internal error',
  503: 'internal error: no server',
}

/** What every vendor says, as a web endpoint says it. */
export const webWording: Wording = {
  refusal: status => own(status, refusals[status] ?? 'error'),
  throttled(form, waitSeconds, now) {
    const hint = form === 'body' ? `, try again in ${waitSeconds} seconds` : ''
    return own(429, `too many requests${hint}`, waitHeaders(form, waitSeconds, now))
  },
}

export function badMethod(): Response {
  return own(400, 'bad redirect method')
}

/** After 150 s: the place of the result, where a GET waits on. */
export function seeOther(url: URL, { id }: Call): Response {
  return new Response(null, { status: 303, headers: { location: `${url.pathname}?${callKey}=${id}` } })
}

/** What the function answered, or what Modal says of its end. */
export function webAnswer({ status, value, files }: Call): Response {
  const [file] = files
  switch (status) {
    case resultStatus.success:
      if (value instanceof Uint8Array && file !== undefined)
        return new Response(new Uint8Array(value), { headers: { 'content-type': file.mediaType } })
      return json(value ?? null)
    case resultStatus.failure:
      // A framework's words for an exception: none of its own.
      return new Response('Internal Server Error', { status: 500, headers: { 'content-type': 'text/plain' } })
    case resultStatus.timeout:
      return own(500, 'internal error: function execution timed out')
    case resultStatus.terminated:
    case resultStatus.evicted:
      return own(500, 'internal error: function was terminated by signal')
    default:
      return own(500, 'internal error')
  }
}
