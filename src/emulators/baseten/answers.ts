import { json, waitHeaders } from '../answers.ts'
import type { Wording } from '../misbehave.ts'
import type { Run } from './run.ts'

/** An error as the edge shapes it. Source: docs.baseten.co/inference/errors. */
export function problem(status: number, error: string): Response {
  return json({ error }, status)
}

const refusals: { readonly [status: number]: string } = {
  400: 'bad request: the input is not what the model takes',
  401: 'unauthorized',
  402: 'payment required: please update your billing',
  403: 'account suspended, please contact support',
  404: 'not found',
  409: 'conflict',
  413: 'payload size of 400000 bytes exceeds maximum size of 262144 bytes',
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

/** What the model server answers for exceptions: the text is hidden. Source: basetenlabs/truss, errors.py of its server. */
export const hiddenError: string = 'Internal Server Error (in model/chainlet).'
/** The router's words for a container that died under its request. */
export const crashed: string = 'Error making prediction'

/** The answer to `predict` once the run is over. */
export function answerOf(run: Run): Response {
  const headers = { 'x-baseten-request-id': run.id, 'x-baseten-model-prediction-attempts': String(run.executions) }
  const [error] = run.errors
  if (error === undefined) return json(run.data, 200, headers)
  const { code, message } = error
  if (code === 'MODEL_PREDICT_TIMEOUT') return json({ error: message }, 504, headers)
  if (code === 'MODEL_NOT_READY') return json({ error: message }, 503, headers)
  if (message === crashed) return json({ error: message }, 502, headers)
  if (code !== 'MODEL_PREDICT_ERROR') return json({ error: message }, 500, headers)
  return json({ error: message }, 500, { ...headers, 'x-baseten-error-source': '04', 'x-baseten-error-code': '600' })
}
