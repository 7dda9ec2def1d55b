import { useCallback, useEffect, useState } from 'react'

/** What the page shows: a prediction by its id, the comparison of deployments, or (null) the place for a new photo. */
export type Place = { readonly prediction: string } | 'compare' | null

/** The address of a place on this page. */
export function addressOf(place: Place): string {
  if (place === null) return location.pathname
  return place === 'compare'
    ? `${location.pathname}?compare`
    : `${location.pathname}?p=${encodeURIComponent(place.prediction)}`
}

/** The place that the address names (`?p=ID`, `?compare`), and a way to go to another; back and forward work. */
export function useAddress(): [place: Place, go: (place: Place) => void] {
  const [place, setPlace] = useState(read)
  useEffect(() => {
    const moved = () => setPlace(read())
    addEventListener('popstate', moved)
    return () => removeEventListener('popstate', moved)
  }, [])
  const go = useCallback((to: Place) => {
    if (addressOf(to) !== addressOf(read())) history.pushState(null, '', addressOf(to))
    setPlace(to)
  }, [])
  return [place, go]
}

function read(): Place {
  const query = new URLSearchParams(location.search)
  const prediction = query.get('p')
  if (prediction !== null) return { prediction }
  return query.has('compare') ? 'compare' : null
}
