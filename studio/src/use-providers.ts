import { useEffect, useState } from 'react'
import { getProviders, type Providers, type Wish } from './providers.ts'

const refreshEveryMs = 5000

/** The comparison, asked for again when the wish changes and every 5 s while the page is seen. */
export function useProviders(wish: Wish): { readonly providers: Providers | null; readonly failed: boolean } {
  const [providers, setProviders] = useState<Providers | null>(null)
  const [failed, setFailed] = useState(false)
  useEffect(() => {
    const abort = new AbortController()
    const refresh = () => {
      getProviders(wish, false, abort.signal).then(
        answer => {
          setProviders(answer)
          setFailed(false)
        },
        () => abort.signal.aborted || setFailed(true),
      )
    }
    refresh()
    const timer = setInterval(() => document.visibilityState === 'visible' && refresh(), refreshEveryMs)
    return () => {
      abort.abort()
      clearInterval(timer)
    }
  }, [wish])
  return { providers, failed }
}
