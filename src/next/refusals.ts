import type { SurefootError } from '../core/failure.ts'
import { statusOf } from '../http/errors.ts'

/** An answer that nobody keeps. */
export function answer(body: object, status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store', ...headers } })
}

/**
 * What a visitor is told of an error, in the words of `shape`. Faults of folders, accounts and providers are nothing for
 * visitors: those go to the console whole.
 */
export function toRefusal(
  error: SurefootError,
  shape: (sentence: string, code: string, status: number) => object,
): Response {
  const { code, message, fault, retryAfterMs } = error.failure
  const status = statusOf(error)
  const headers: Record<string, string> =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
  if (fault === 'user') return answer(shape(message, code, status), status, headers)
  console.error('surefoot:', error)
  // What is wrong with the configuration is no input of the visitor's.
  const told = code === 'input_invalid' ? 'internal' : code
  return answer(shape('This cannot be done just now.', told, status), status, headers)
}
