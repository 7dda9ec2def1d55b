'use client'

import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { Client } from './browser/create-client.ts'
import { lookAt, nothingSeen, type Seen, subscribe, tell } from './browser/seen.ts'
import { ClientError, createClient, type Prediction } from './client.ts'

export interface UsePredictionOptions {
  /** Made once, outside of components; the first one that a component gives counts. Default: `createClient()`. */
  readonly client?: Client
}

/** What went wrong, for people. */
export interface Trouble {
  /** A failure code of the prediction, or a code of `ClientError`. */
  readonly code: string
  readonly message: string
  /** What to do next, where something is known to help. */
  readonly advice: string | null
}

/** A prediction as a page shows it. */
export interface ShownPrediction {
  /** All that the gateway says, logs and cost among it; null before its first word. */
  readonly prediction: Prediction | null
  readonly status: Prediction['status'] | null
  /** Where the work is; null until somebody says. */
  readonly stage: string | null
  /** 0 to 1; null where nobody knows: show a bar without an end. */
  readonly fraction: number | null
  /** Why it failed, or why it cannot be followed. */
  readonly error: Trouble | null
  /** The verified file; `url` is signed and good for an hour or more. */
  readonly output: { readonly url: string; readonly name: string; readonly bytes: number } | null
  /** Whether there is more to come. */
  readonly isLive: boolean
  /** Asks for its end. Fails with `ClientError`. */
  readonly cancel: () => Promise<void>
}

/**
 * Follows a prediction until it has ended; null follows none. Components that follow the same one share a stream. On a server
 * it renders as one of which nothing is known yet.
 */
export function usePrediction(id: string | null, options: UsePredictionOptions = {}): ShownPrediction {
  const client = useClient(options.client)
  const seen = useSyncExternalStore(
    useCallback((listener: () => void) => (id === null ? () => {} : subscribe(client, id, listener)), [client, id]),
    () => (id === null ? nothingSeen : lookAt(client, id)),
    () => nothingSeen,
  )
  const cancel = useCallback(async () => {
    if (id !== null) tell(client, await client.cancel(id))
  }, [client, id])
  return { ...toShown(seen, id), cancel }
}

export interface UseRunOptions extends UsePredictionOptions {
  /** `owner/name`. */
  readonly model: string
  /**
   * The prediction to show while nothing is sent, where the page keeps its id itself, in its address say; `onCreate` must then
   * put the new one there. Default: the hook keeps it.
   */
  readonly id?: string | null
  /** Called with the id of each prediction that was created. */
  readonly onCreate?: (id: string) => void
}

export interface Run extends ShownPrediction {
  /** Of the prediction that is shown; null where there is none. */
  readonly id: string | null
  /**
   * Uploads what is a `File` or `Blob`, creates the prediction and follows it. The stage is `upload` meanwhile. Never fails: what
   * goes wrong is in `error`. While the same values are being sent (the same `File` object) it does nothing: a double click pays
   * once. Other values take the place of those that are being sent, and what these made is cancelled; a prediction that is shown
   * already goes on unseen.
   */
  readonly run: (input: Readonly<Record<string, unknown>>) => Promise<void>
}

/** A call of `run` until it is over. */
interface Call {
  readonly model: string
  readonly input: Readonly<Record<string, unknown>>
  readonly abort: AbortController
  readonly end: Promise<void>
}

function isSame(one: Call['input'], other: Call['input']): boolean {
  return Object.keys({ ...one, ...other }).every(key => one[key] === other[key])
}

/** What is on its way to the gateway, or was refused there. */
interface Sending {
  readonly fraction: number | null
  readonly error: Trouble | null
}

/**
 * Sends input to a model and follows its prediction, uploads included. Leaving the page or the component ends what is still
 * being sent.
 *
 * @example
 * const { run, isLive, stage, fraction, error, output } = useRun({ model: 'surefoot/relief' })
 */
export function useRun({ model, id: givenId, onCreate, client: givenClient }: UseRunOptions): Run {
  const client = useClient(givenClient)
  const [ownId, setOwnId] = useState<string | null>(null)
  const [sending, setSending] = useState<Sending | null>(null)
  const current = useRef<Call | null>(null)
  const created = useRef(onCreate)
  useEffect(() => {
    created.current = onCreate
  })
  useEffect(() => () => current.current?.abort.abort(), [])

  const id = givenId === undefined ? ownId : givenId
  const shown = usePrediction(id, { client })

  const run = useCallback(
    (input: Call['input']) => {
      const before = current.current
      if (before?.model === model && isSame(before.input, input)) return before.end
      before?.abort.abort()
      const abort = new AbortController()
      const { signal } = abort
      const send = async () => {
        setSending({ fraction: null, error: null })
        try {
          const onProgress = (fraction: number) => {
            if (!signal.aborted) setSending({ fraction, error: null })
          }
          const prediction = await client.create({ model, input }, { signal, onProgress })
          setSending(null)
          setOwnId(prediction.id)
          created.current?.(prediction.id)
        } catch (error) {
          if (!signal.aborted) setSending({ fraction: null, error: toTrouble(error) })
        }
        if (!signal.aborted) current.current = null
      }
      const end = send()
      current.current = { model, input, abort, end }
      return end
    },
    [client, model],
  )

  const stop = useCallback(async () => {
    current.current?.abort.abort()
    current.current = null
    setSending(null)
  }, [])

  if (sending === null) return { ...shown, id, run }
  const { fraction, error } = sending
  const isLive = error === null
  const stage = isLive ? 'upload' : null
  return { prediction: null, status: null, output: null, id: null, stage, fraction, error, isLive, cancel: stop, run }
}

let defaultClient: Client | undefined

function useClient(given: Client | undefined): Client {
  const [client] = useState(() => {
    if (given !== undefined) return given
    defaultClient ??= createClient()
    return defaultClient
  })
  return client
}

function toShown({ prediction, error }: Seen, id: string | null): Omit<ShownPrediction, 'cancel'> {
  if (prediction === null) {
    const nothing = { prediction, status: null, stage: null, fraction: null, output: null }
    return { ...nothing, error: toTrouble(error), isLive: id !== null && error === null }
  }
  const { status, output, surefoot } = prediction
  const { progress, failure, output: file } = surefoot
  return {
    prediction,
    status,
    stage: progress?.stage ?? null,
    fraction: status === 'succeeded' ? 1 : (progress?.fraction ?? null),
    error: failure ?? toTrouble(error),
    output: output === null || file === null ? null : { url: output, name: file.name, bytes: file.bytes },
    isLive: error === null && (status === 'starting' || status === 'processing'),
  }
}

function toTrouble(error: unknown): Trouble | null {
  if (error === null) return null
  const code = error instanceof ClientError ? error.code : 'internal'
  return { code, message: error instanceof Error ? error.message : String(error), advice: null }
}
