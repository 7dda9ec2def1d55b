import { useCallback, useState } from 'react'
import { createPrediction, type Prediction } from './api.ts'
import { type Trouble, troubleFrom } from './failure.tsx'

/** A photo on its way to the gateway; no prediction has it yet. */
export interface Sending {
  readonly photo: File
  /** Address of the photo in this page. */
  readonly preview: string
  /** Milliseconds since 1970. */
  readonly since: number
  readonly trouble: Trouble | null
}

/** Sends one photo at a time; a new one takes the place of one still on its way. */
export function useSending(onCreated: (created: Prediction, preview: string) => void): {
  readonly sending: Sending | null
  readonly send: (photo: File, model: string) => Promise<void>
  readonly stop: () => void
} {
  const [current, setCurrent] = useState<{ sending: Sending; abort: AbortController } | null>(null)
  const stop = useCallback(
    () =>
      setCurrent(before => {
        before?.abort.abort()
        return null
      }),
    [],
  )
  const send = useCallback(
    async (photo: File, model: string) => {
      const abort = new AbortController()
      const sending: Sending = { photo, preview: URL.createObjectURL(photo), since: Date.now(), trouble: null }
      stop()
      setCurrent({ sending, abort })
      try {
        const created = await createPrediction(model, photo, abort.signal)
        if (abort.signal.aborted) return
        onCreated(created, sending.preview)
        setCurrent(null)
      } catch (error) {
        if (!abort.signal.aborted) setCurrent({ sending: { ...sending, trouble: troubleFrom(error) }, abort })
      }
    },
    [onCreated, stop],
  )
  return { sending: current?.sending ?? null, send, stop }
}
