import { useCallback, useEffect, useState } from 'react'

/** The address of one prediction on this page; of the empty page for null. */
export function addressOf(id: string | null): string {
  return id === null ? location.pathname : `${location.pathname}?p=${encodeURIComponent(id)}`
}

/** The prediction that the address names (`?p=ID`), and a way to go to another; back and forward work. */
export function useAddress(): [id: string | null, go: (id: string | null, replace?: boolean) => void] {
  const [id, setId] = useState(read)
  useEffect(() => {
    const moved = () => setId(read())
    addEventListener('popstate', moved)
    return () => removeEventListener('popstate', moved)
  }, [])
  const go = useCallback((to: string | null) => {
    if (to !== read()) history.pushState(null, '', addressOf(to))
    setId(to)
  }, [])
  return [id, go]
}

function read(): string | null {
  return new URLSearchParams(location.search).get('p')
}
