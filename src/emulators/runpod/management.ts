import { json } from '../answers.ts'
import { type Settings, tell } from '../settings.ts'

/** What is laid over an endpoint's own workers setting. */
const usualWorkers = { min: 0, max: 3, idleTimeout: 5 }

/** An error of the management API. */
function problem(status: number): Response {
  return json({ title: 'Refused', status }, status, { 'content-type': 'application/problem+json' })
}

/**
 * The part of the management API that tells of an endpoint and its workers: every one is there. Settings of `endpoint` are
 * laid over its fields, those of `workers` over its `workers`, those of `summary` over the histogram of its workers.
 */
export function manage(
  settings: Settings | undefined,
  id: string,
  workers: { readonly [state: string]: number } | null,
): Response {
  const words = { answer: json, refuse: problem }
  if (workers === null) {
    const endpoint = {
      ...{ id, name: 'emulated', type: 'QUEUE', scaling: { type: 'QUEUE_DELAY', queueDelay: 4 }, flashboot: 'ON' },
      ...{ dataCenterIds: [], networkVolumes: [], timeout: 600_000, createdAt: '2026-01-01T00:00:00Z' },
      workers: { ...usualWorkers, ...Object(settings?.workers) },
    }
    return tell(settings, 'endpoint', endpoint, words)
  }
  const none = { running: 0, idle: 0, initializing: 0, throttled: 0, unhealthy: 0 }
  const counts = Object.fromEntries(Object.keys(none).map(state => [state, workers[state] ?? 0]))
  const summary = { ...counts, ...Object(settings?.summary) } as { [state: string]: number }
  const total = Object.values(summary).reduce((sum, count) => sum + count, 0)
  return tell(settings, 'listWorkers', { workers: [], summary: { ...summary, total }, endpointVersion: 1 }, words)
}
