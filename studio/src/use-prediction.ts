import { useEffect, useState } from 'react'
import { eventsPath, getPrediction, isLive, type Prediction, RequestError } from './api.ts'

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
 * Follows a prediction until it ends: first what the API says now, then its server-sent events. The browser reconnects
 * those by itself; where it gives up (a proxy that refuses streams), the prediction is asked for every 1.5 s instead.
 */
export function usePrediction(id: string | null): Watched {
  const [watched, setWatched] = useState<Watched & { id: string | null }>({ id, ...nothing })

  useEffect(() => {
    if (id === null) return
    const abort = new AbortController()
    let source: EventSource | null = null
    let timer: ReturnType<typeof setTimeout> | undefined

    const show = (prediction: Prediction) => setWatched({ id, prediction, error: null, connected: true })
    const unreachable = () =>
      setWatched(before => ({ ...(before.id === id ? before : { ...nothing, id }), connected: false }))

    async function look(): Promise<void> {
      try {
        const prediction = await getPrediction(id as string, abort.signal)
        show(prediction)
        if (!isLive(prediction)) return stop()
        if (source === null) listen()
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
      const streaming = source !== null && source.readyState === EventSource.OPEN
      timer = setTimeout(look, streaming ? pollEveryMs.streaming : pollEveryMs.alone)
    }

    function listen(): void {
      const events = new EventSource(eventsPath(id as string))
      source = events
      events.addEventListener('prediction', event => {
        const prediction = JSON.parse(event.data) as Prediction
        show(prediction)
        if (!isLive(prediction)) stop()
      })
      events.addEventListener('done', () => {
        events.close()
        void look()
      })
      events.addEventListener('error', () => {
        if (abort.signal.aborted) return
        if (events.readyState === EventSource.CLOSED) void look()
        else unreachable()
      })
      events.addEventListener('open', () => setWatched(before => ({ ...before, connected: true })))
    }

    function stop(): void {
      source?.close()
      clearTimeout(timer)
    }

    void look()
    return () => {
      abort.abort()
      stop()
    }
  }, [id])

  return watched.id === id ? watched : nothing
}
