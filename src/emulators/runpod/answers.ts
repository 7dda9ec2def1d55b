import { json, waitHeaders } from '../answers.ts'
import type { Wording } from '../misbehave.ts'

/** An error as the data plane mostly shapes it; the documents promise no shape. */
export function problem(status: number, error: string): Response {
  return json({ error }, status)
}

const refusals: { readonly [status: number]: string } = {
  400: 'bad request: input is not what the handler takes',
  401: 'unauthorized',
  402: 'insufficient balance',
  403: 'account suspended, please contact support',
  404: 'job not found',
  409: 'conflict',
  413: 'request body too large',
  422: 'unprocessable',
  500: 'internal server error',
  503: 'service unavailable',
}

/** The vendor's words for the refusals that every vendor has. */
export const wording: Wording = {
  refusal: status => problem(status, refusals[status] ?? 'error'),
  throttled(form, waitSeconds, now) {
    const hint = form === 'body' ? `, try again in ${waitSeconds} seconds` : ''
    return json({ error: `too many requests${hint}` }, 429, waitHeaders(form, waitSeconds, now))
  },
}

/** What the worker SDK reports for an exception of the handler: a JSON string. `words` is `package.Type: message`. */
export function exception(words: string, workerId: string | null): string {
  const [type = '', ...rest] = words.split(': ')
  return JSON.stringify({
    error_type: `<class '${type}'>`,
    error_message: rest.join(': '),
    error_traceback: `Traceback (most recent call last):\n  File "/handler.py", line 42, in handler\n${words}\n`,
    hostname: `${workerId}-64411a52`,
    worker_id: workerId,
    runpod_version: '1.12.0',
  })
}
