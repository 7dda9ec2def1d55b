import { inspect } from 'node:util'
import { HTTPException } from 'hono/http-exception'
import { type FailureCode, SurefootError } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import { toPlainWords } from '../core/plain-words.ts'
import type { Log } from '../engine/contract.ts'
import type { Context } from './context.ts'

/**
 * Refusals of the HTTP layer itself, with their statuses. Together with the failure codes this is the closed list of
 * values that `code` has in an error body.
 */
export const httpCodes = {
  request_unreadable: 400,
  invalid_json: 400,
  invalid_multipart: 400,
  token_missing: 401,
  token_invalid: 401,
  token_expired: 401,
  token_revoked: 401,
  scope_missing: 403,
  host_refused: 403,
  origin_refused: 403,
  link_expired: 403,
  link_forged: 403,
  not_found: 404,
  not_offered: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  already_uploaded: 409,
  file_in_use: 409,
  attempt_over: 410,
  unsupported_media_type: 415,
  range_not_satisfiable: 416,
  too_many_requests: 429,
  headers_too_large: 431,
  not_ready: 503,
} as const

export type HttpCode = keyof typeof httpCodes

/** What every error answers with; `detail` is one sentence for people, `code` is for programs. */
export interface ErrorBody {
  readonly detail: string
  readonly status: number
  readonly code: HttpCode | FailureCode
  readonly request_id: string
}

/** Ends the request with one of `httpCodes`. */
export function refuseHttp(code: HttpCode, detail: string, headers: Readonly<Record<string, string>> = {}): never {
  throw new HTTPException(httpCodes[code], { message: detail, cause: { code, headers } satisfies Refusal })
}

interface Refusal {
  readonly code: HttpCode
  readonly headers: Readonly<Record<string, string>>
}

/** Statuses of failures where their fault does not tell: see `statusOf`. */
const failureStatuses: Partial<Record<FailureCode, number>> = {
  input_too_large: 413,
  output_too_large: 413,
  output_invalid: 422,
  auth_rejected: 401,
  deployment_missing: 404,
  rate_limited: 429,
  storage_full: 507,
}

/** The only map from an error to a response. Unknown errors are opaque outside and whole in the log. */
export function toErrorResponse(c: Context, error: unknown, log: Log): Response {
  if (error instanceof HTTPException && isRefusal(error.cause)) {
    return answer(c, httpCodes[error.cause.code], error.cause.code, error.message, error.cause.headers)
  }
  if (SurefootError.is(error) && error.failure.code !== 'internal') {
    const status = statusOf(error)
    if (status >= 500) log('error', 'request failed', { requestId: c.get('requestId'), ...inWords(error) })
    const wait = error.failure.retryAfterMs
    return answer(c, status, error.failure.code, error.failure.message, {
      ...(wait === undefined ? {} : { 'retry-after': String(Math.ceil(wait / 1000)) }),
    })
  }
  // A caller that went away makes its own request fail; that is nobody's fault and nobody reads the answer.
  if (!c.req.raw.signal.aborted)
    log('error', 'request failed', { requestId: c.get('requestId'), error: inspect(error) })
  return answer(c, 500, 'internal', 'Surefoot could not answer this request; the log has the reason by its request id.')
}

/** A failure that has a name needs no stack: what was wrong, and what the system said. */
function inWords({ failure: { code, message }, cause }: SurefootError): JsonObject {
  return { code, error: message, ...(cause === undefined ? {} : { cause: String(cause) }) }
}

/** The status that an error answers with: its own, else its code's, else 422 for the caller's faults and 503. */
export function statusOf(error: SurefootError): number {
  return error.status ?? failureStatuses[error.failure.code] ?? (error.failure.fault === 'user' ? 422 : 503)
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'code' in value && String(value.code) in httpCodes
}

const longestDetail = 2_000

function answer(
  c: Context,
  status: number,
  code: ErrorBody['code'],
  detail: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  // It may repeat an id or a name that came with the request, and people read it in terminals.
  const body: ErrorBody = { detail: toPlainWords(detail, longestDetail), status, code, request_id: c.get('requestId') }
  return Response.json(body, { status, headers })
}
