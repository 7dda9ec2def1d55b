import { useEffect, useState } from 'react'
import { followPrediction, getPrediction, isLive, type Prediction, RequestError } from './api.ts'

/** What is known of one prediction now. `connected` is false while the gateway cannot be reached. */
export interface Watched {
  readonly prediction: Prediction | null
  readonly error: RequestError | null
  readonly connected: boolean
}

const nothing: Watched = { prediction: null, error: null, connected: true }
/** Without a stream this is all we have; with one it only guards against a stream that is open but silent. */
const pollEveryMs = { streaming: 10_000, alone: 1500 }

/**
 * Follows a prediction until it ends: first what the API says now, then its server-sent events. Where those are cut or
 * refused (by a proxy), the prediction is asked for every 1.5 s, and its events again.
 */
export function usePrediction(id: string | null): Watched {
  const [watched, setWatched] = useState<Watched & { id: string | null }>({ id, ...nothing })

  useEffect(() => {
    if (id === null) return
    const abort = new AbortController()
    let streaming = false
    let ended = false
    let timer: ReturnType<typeof setTimeout> | undefined

    const show = (prediction: Prediction) => {
      // What was asked and what is streamed may overtake each other.
      if (ended && isLive(prediction)) return
      ended = !isLive(prediction)
      setWatched({ id, prediction, error: null, connected: true })
    }
    const unreachable = () =>
      setWatched(before => ({ ...(before.id === id ? before : { ...nothing, id }), connected: false }))

    async function look(): Promise<void> {
      try {
        const prediction = await getPrediction(id as string, abort.signal)
        show(prediction)
        if (!isLive(prediction)) return
        if (!streaming) void listen()
        lookLater()
      } catch (error) {
        if (abort.signal.aborted) return
        if (error instanceof RequestError && error.status >= 400 && error.status < 500 && error.status !== 429) {
          setWatched({ id: id as string, prediction: null, error, connected: true })
          return
        }
        unreachable()
        lookLater()
      }
    }

    function lookLater(): void {
      clearTimeout(timer)
      timer = setTimeout(look, streaming ? pollEveryMs.streaming : pollEveryMs.alone)
    }

    async function listen(): Promise<void> {
      streaming = true
      const isOver = await followPrediction(id as string, abort.signal, show).catch(() => false)
      streaming = false
      if (abort.signal.aborted) return
      if (isOver) void look()
      else lookLater()
    }

    void look()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [id])

  return watched.id === id ? watched : nothing
}
