import type { SurefootError } from '../core/failure.ts'
import { statusOf } from '../http/errors.ts'

/** An answer that nobody keeps. */
export function answer(body: object, status: number): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store' } })
}

/**
 * What a visitor is told of an error, in the words of `shape`. Faults of folders, accounts and providers are nothing for
 * visitors: those go to the console whole.
 */
export function toRefusal(
  error: SurefootError,
  shape: (sentence: string, code: string, status: number) => object,
): Response {
  const { code, message, fault } = error.failure
  const status = statusOf(error)
  if (fault === 'user') return answer(shape(message, code, status), status)
  console.error('surefoot:', error)
  return answer(shape('This cannot be done just now.', code, status), status)
}
