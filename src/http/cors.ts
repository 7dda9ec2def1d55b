import type { Context } from './context.ts'

/** What pages send besides what browsers allow anyway: the token, JSON, and what the routes' own headers are. */
const sentHeaders = [
  'authorization',
  'content-type',
  'prefer',
  'cancel-after',
  'idempotency-key',
  'last-event-id',
  'x-request-id',
]
/** What pages read besides what browsers show anyway. */
const readHeaders = ['x-request-id', 'retry-after', 'allow', 'www-authenticate']

/** Whether a browser asks if a page may send a request (Fetch standard, CORS protocol). */
export function isPreflight(c: Context): boolean {
  return c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined
}

/**
 * The answer to a preflight of an origin that is allowed. No credentials: a page shows its token, and cookies count for
 * nothing here. Browsers may remember it for ten minutes.
 */
export function answerPreflight(origin: string): Response {
  const headers = {
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, DELETE',
    'access-control-allow-headers': sentHeaders.join(', '),
    'access-control-max-age': '600',
  }
  const response = new Response(null, { status: 204, headers })
  shareWith(origin, response.headers)
  return response
}

/** Lets pages of one origin, and of no other, read an answer. */
export function shareWith(origin: string, headers: Headers): void {
  headers.set('access-control-allow-origin', origin)
  headers.set('access-control-expose-headers', readHeaders.join(', '))
  headers.append('vary', 'Origin')
}
