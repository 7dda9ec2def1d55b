import { isTerminal } from '../core/prediction.ts'
import type { PredictionJson } from '../http/shapes.ts'
import type { Client } from './create-client.ts'

/** What is known of a prediction now. Never changed in place. */
export interface Seen {
  readonly prediction: PredictionJson | null
  /** Why it cannot be followed any longer. */
  readonly error: unknown
}

export const nothingSeen: Seen = { prediction: null, error: null }

interface Entry {
  seen: Seen
  readonly listeners: Set<() => void>
  readonly end: AbortController
}

const entriesOf = new WeakMap<Client, Map<string, Entry>>()

/** What followers of the prediction see now; the same object until that changes. */
export function lookAt(client: Client, id: string): Seen {
  return entriesOf.get(client)?.get(id)?.seen ?? nothingSeen
}

/** Follows a prediction; all who do so at the same time share one stream. The returned function ends it. */
export function subscribe(client: Client, id: string, listener: () => void): () => void {
  const entries = entriesOf.get(client) ?? new Map<string, Entry>()
  entriesOf.set(client, entries)
  const entry = entries.get(id) ?? { seen: nothingSeen, listeners: new Set(), end: new AbortController() }
  if (!entries.has(id)) {
    entries.set(id, entry)
    void keepSeen(client, id, entry)
  }
  // Two subscriptions may share a listener.
  const own = () => listener()
  entry.listeners.add(own)
  return () => {
    entry.listeners.delete(own)
    // Whoever leaves and comes back within one turn, as StrictMode does, keeps the stream.
    queueMicrotask(() => {
      if (entry.listeners.size > 0 || entries.get(id) !== entry) return
      entries.delete(id)
      entry.end.abort()
    })
  }
}

/** Shows a prediction that was just told, such as the answer to a cancel, to all who follow it. */
export function tell(client: Client, prediction: PredictionJson): void {
  const entry = entriesOf.get(client)?.get(prediction.id)
  if (entry === undefined || (entry.seen.prediction && isTerminal(entry.seen.prediction.status))) return
  show(entry, { prediction, error: null })
}

async function keepSeen(client: Client, id: string, entry: Entry): Promise<void> {
  try {
    for await (const prediction of client.watch(id, { signal: entry.end.signal })) {
      show(entry, { prediction, error: null })
    }
  } catch (error) {
    if (!entry.end.signal.aborted) show(entry, { prediction: entry.seen.prediction, error })
  }
}

function show(entry: Entry, seen: Seen): void {
  entry.seen = seen
  for (const listener of entry.listeners) listener()
}
