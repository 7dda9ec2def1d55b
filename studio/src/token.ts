import { useSyncExternalStore } from 'react'

/** Kept for this tab and until it is closed; never in an address, where histories and logs would keep it too. */
const place = 'surefoot-token'
const listeners = new Set<() => void>()
let wanted: string | null = null

/** The token that requests send, where one was given. */
export function readToken(): string | null {
  return sessionStorage.getItem(place)
}

/** Takes a token, for whatever is asked from now on. */
export function giveToken(token: string): void {
  sessionStorage.setItem(place, token)
  want(null)
}

/** The gateway refused a request that was sent with `token`: asks for another one, unless one was given meanwhile. */
export function refuseToken(token: string | null, why: string): void {
  if (token !== readToken()) return
  want(token === null ? 'This gateway asks for a token.' : why)
}

/** Why a token is asked for now; null while none is. */
export function useTokenWanted(): string | null {
  return useSyncExternalStore(subscribe, () => wanted)
}

function want(why: string | null): void {
  wanted = why
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
