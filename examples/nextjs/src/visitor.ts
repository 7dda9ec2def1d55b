import type { Authorize } from 'surefoot/next'

/** Set by `proxy.ts` when somebody opens the page. */
export const visitorCookie = 'visitor'

/**
 * Who sends a request. Here everybody with a browser is a visitor who sees what is their own; a real app asks its own
 * sign-in. The limits are for each visitor, and whoever throws the cookie away is a new one: what protects your money is
 * `policy.budgetPerDay` in `surefoot.config.ts`.
 */
export const authorize: Authorize = request => {
  const cookies = request.headers.get('cookie') ?? ''
  const user = new RegExp(`(?:^|; )${visitorCookie}=([\\w-]{36})(?:;|$)`).exec(cookies)?.[1]
  return user === undefined
    ? null
    : { user, limits: { requestsPerMinute: 300, concurrency: 2, fileBytes: 50_000_000, storedBytes: 200_000_000 } }
}
