import { json, waitHeaders } from '../answers.ts'
import type { Wording } from '../misbehave.ts'

/** An error as the vendor shapes it: `detail`, `status`, sometimes a `title`. */
export function problem(status: number, detail: string, title?: string): Response {
  return json({ ...(title === undefined ? {} : { title }), detail, status }, status)
}

/** 429 with the wait told in one of the forms that occur: seconds, float, date, body or bare. */
export function throttled(form: string, waitSeconds: number, now: number): Response {
  const detail = `Request was throttled.${form === 'body' ? ` Your rate limit resets in ~${waitSeconds}s.` : ''}`
  const body = { detail, status: 429, ...(form === 'body' ? { retry_after: waitSeconds } : {}) }
  return json(body, 429, waitHeaders(form, waitSeconds, now))
}

const refusals: { readonly [status: number]: readonly [detail: string, title?: string] } = {
  401: ['You did not pass a valid authentication token', 'Unauthenticated'],
  402: ['You have insufficient credit to run this model.', 'Insufficient credit'],
  403: ['Your account has been locked. Contact support.', 'Account locked'],
  404: ['The requested resource could not be found.'],
  409: ['Conflict'],
  413: ['Request body too large.'],
  422: ['Unprocessable'],
  500: ['Internal server error'],
  503: ['Service unavailable'],
}

/** The vendor's own words for the refusals that every vendor has. */
export const wording: Wording = {
  refusal(status) {
    const [detail, title] = refusals[status] ?? ['Error']
    return problem(status, detail, title)
  },
  throttled,
}
