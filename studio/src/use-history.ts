import { useCallback, useEffect, useState } from 'react'
import { isLive, listPredictions, type Prediction } from './api.ts'

/** Predictions, newest first, as far as they were loaded. */
export interface History {
  /** Null until the first answer. */
  readonly items: readonly Prediction[] | null
  readonly failed: boolean
  /** Loads the next older page; null when there is none. */
  readonly loadOlder: (() => void) | null
  /** Puts in what is known better than the last listing. */
  readonly update: (prediction: Prediction) => void
}

const refreshEveryMs = 4000

/** The history from the API: on arrival, when the page comes back into view, and every 4 s while something runs. */
export function useHistory(): History {
  const [items, setItems] = useState<readonly Prediction[] | null>(null)
  const [next, setNext] = useState<string | null>(null)
  const [failed, setFailed] = useState(false)

  const merge = useCallback((page: readonly Prediction[]) => setItems(before => mergeNewest(before ?? [], page)), [])
  const refresh = useCallback(async () => {
    try {
      const page = await listPredictions()
      merge(page.results)
      setNext(before => before ?? page.next)
      setFailed(false)
    } catch {
      setFailed(true)
    }
  }, [merge])

  const anyLive = items?.some(isLive) ?? false
  useEffect(() => {
    void refresh()
    const seen = () => document.visibilityState === 'visible' && void refresh()
    document.addEventListener('visibilitychange', seen)
    return () => document.removeEventListener('visibilitychange', seen)
  }, [refresh])
  useEffect(() => {
    if (!anyLive && !failed) return
    const timer = setInterval(() => document.visibilityState === 'visible' && void refresh(), refreshEveryMs)
    return () => clearInterval(timer)
  }, [anyLive, failed, refresh])

  const loadOlder = useCallback(async () => {
    try {
      const page = await listPredictions(next)
      merge(page.results)
      setNext(page.next)
    } catch {
      setFailed(true)
    }
  }, [next, merge])

  const update = useCallback((prediction: Prediction) => merge([prediction]), [merge])
  return { items, failed, loadOlder: next === null ? null : loadOlder, update }
}

/** One entry per id, newest first. An ended prediction never comes back to life by an answer that was overtaken. */
export function mergeNewest(before: readonly Prediction[], page: readonly Prediction[]): readonly Prediction[] {
  const byId = new Map(before.map(item => [item.id, item]))
  for (const item of page) {
    const known = byId.get(item.id)
    if (!known || isLive(known) || !isLive(item)) byId.set(item.id, item)
  }
  return [...byId.values()].sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at))
}
