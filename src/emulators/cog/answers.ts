import { json, page, waitHeaders } from '../answers.ts'
import type { Wording } from '../misbehave.ts'
import type { CogVersion } from './run.ts'

const refusals: { readonly [status: number]: string } = {
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'this account is suspended',
  404: 'Not Found',
  409: 'Conflict',
  500: 'Internal Server Error',
}

/** Refusals that are not the server's own: a proxy in front of it says them, or its router. */
export const wording: Wording = {
  refusal(status) {
    if (status === 422) return invalid(['body', 'input', 'image'], 'Field required')
    return status === 503
      ? page(503, '503 Service Temporarily Unavailable')
      : json({ detail: refusals[status] }, status)
  },
  throttled(form, waitSeconds, now) {
    const hint = form === 'body' ? `, try again in ${waitSeconds} seconds` : ''
    return json({ detail: `Too Many Requests${hint}` }, 429, waitHeaders(form, waitSeconds, now))
  },
}

/** FastAPI's form, which coglet keeps. */
export function invalid(loc: readonly string[], msg: string): Response {
  return json({ detail: [{ loc, msg, type: 'value_error' }] }, 422)
}

/** Every place is taken. */
export function busy(version: CogVersion): Response {
  if (version === 'python') return json({ detail: 'Already running a prediction' }, 409)
  return json({ error: 'At capacity - all prediction slots busy', status: 'failed' }, 409)
}

/** The model is setting up, or has failed to; Python says that it is busy. */
export function settingUp(version: CogVersion): Response {
  if (version === 'python') return busy(version)
  return json(
    {
      error: 'Setup has not finished yet. Wait until it has finished, or GET /health-check for status.',
      status: 'failed',
    },
    503,
  )
}
