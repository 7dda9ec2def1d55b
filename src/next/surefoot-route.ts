import { SurefootError } from '../core/failure.ts'
import type { HandlerOptions, Surefoot } from '../surefoot.ts'
import { toRefusal } from './refusals.ts'

type Handler = (request: Request) => Promise<Response>

/** Handlers of a catch-all route file: `export const { GET, HEAD, POST, PUT, DELETE, OPTIONS } = createSurefootRoute(...)`. */
export interface SurefootRoute {
  readonly GET: Handler
  readonly HEAD: Handler
  readonly POST: Handler
  readonly PUT: Handler
  readonly DELETE: Handler
  readonly OPTIONS: Handler
}

/**
 * Mounts the whole HTTP API in an app: predictions with their events, uploads by browsers, webhooks and uploads of providers,
 * signed links, and `POST tick` for cron. Without `authorize` nobody comes in but by signed links and tokens.
 *
 * @example
 * // src/app/api/surefoot/[...path]/route.ts
 * import { after } from 'next/server'
 * import { createSurefoot } from 'surefoot'
 * import { createSurefootRoute } from 'surefoot/next'
 * export const { GET, HEAD, POST, PUT, DELETE, OPTIONS } = createSurefootRoute(createSurefoot(), { authorize, after })
 */
export function createSurefootRoute(surefoot: Pick<Surefoot, 'handler'>, options: HandlerOptions = {}): SurefootRoute {
  const handle = surefoot.handler(options)
  const answer: Handler = async request => {
    try {
      return await handle(request)
    } catch (error) {
      // Next.js answers 500 to all else and logs it; it also throws to redirect.
      if (!SurefootError.is(error)) throw error
      return toRefusal(error, (detail, code, status) => ({ detail, status, code }))
    }
  }
  return { GET: answer, HEAD: answer, POST: answer, PUT: answer, DELETE: answer, OPTIONS: answer }
}
