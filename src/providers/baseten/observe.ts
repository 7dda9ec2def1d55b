import { createFailure, type Failure } from '../../core/failure.ts'
import type { Observation } from '../contract.ts'
import { failureOfRun } from './failure.ts'
import { timeOf, type WireStatus } from './wire.ts'

/**
 * One asynchronous request as an observation. A status never holds the result: for a kit the end names its upload
 * (`stored`), which collecting finds there or not at all; for any other model only the webhook brings it, so that a success
 * whose webhook is still on its way counts as running, and one whose webhook was not heard as lost.
 */
export function observe(request: WireStatus, stored: string | null): Observation {
  const { status: word, errors } = request
  switch (word) {
    case 'QUEUED':
      // A cold start looks like this, too.
      return { status: 'queued', word }
    case 'IN_PROGRESS':
      return { status: 'running', word }
    case 'SUCCEEDED':
    case 'WEBHOOK_FAILED':
      return { word, ...finished(request, stored) }
    case 'FAILED':
      return { status: 'failed', word, ...metricsOf(request), failure: failureOfRun(errors) }
    case 'EXPIRED':
      return { status: 'failed', word, failure: createFailure('queue_timeout', expired(request)) }
    case 'CANCELED':
      return { status: 'canceled', word }
    default:
      // No field says whether an unknown word is an end: only policy ends such an attempt.
      return { status: 'unclear', word }
  }
}

function finished(request: WireStatus, stored: string | null): Omit<Observation, 'word'> {
  const { status, webhook_status: webhook, errors } = request
  if (status === 'WEBHOOK_FAILED' && errors.length > 0)
    return { status: 'failed', ...metricsOf(request), failure: failureOfRun(errors) }
  if (stored !== null) return { status: 'succeeded', ...metricsOf(request), outputs: [{ kind: 'stored', key: stored }] }
  const isOver = status === 'WEBHOOK_FAILED' || (webhook !== undefined && lost.has(webhook))
  if (!isOver) return { status: 'running' }
  return { status: 'failed', ...metricsOf(request), failure: lostWith(webhook) }
}

/** What became of the webhook that should have brought the result. */
const lost: ReadonlyMap<string, string> = new Map([
  ['SUCCEEDED', 'its webhook was taken by something that is not Surefoot'],
  ['FAILED', 'its webhook could not be delivered (Baseten tries twice)'],
  ['CANCELED', 'its webhook was cancelled'],
  ['NO_WEBHOOK_PROVIDED', 'it has no webhook'],
])

function lostWith(webhook: string | undefined): Failure {
  const why = lost.get(webhook ?? 'FAILED') ?? lost.get('FAILED')
  return createFailure('output_lost', `The run succeeded, but ${why}, and Baseten keeps no results.`, {
    advice:
      "See that webhooks reach Surefoot under its public URL and webhookSecrets are the workspace's, or let a kit upload.",
  })
}

/** The whole time at the vendor: how much of it a replica worked is not told. Only the end has one. */
function metricsOf({ created_at, status_at }: WireStatus): Pick<Observation, 'metrics'> {
  return metricsBetween(timeOf(created_at), timeOf(status_at))
}

/** Milliseconds from a request's creation to its end; nothing where a time is missing or they make no sense. */
export function metricsBetween(since: number | null, until: number | null): Pick<Observation, 'metrics'> {
  const totalMs = since === null || until === null ? Number.NaN : until - since
  // Nothing stays in its queue and on its replicas longer than some days.
  return totalMs >= 0 && totalMs < 7 * 24 * 3_600_000 ? { metrics: { totalMs } } : {}
}

function expired(request: WireStatus): string {
  const waited = metricsOf(request).metrics?.totalMs
  return `No replica took the request${waited === undefined ? '' : ` within ${Math.round(waited / 1000)} s`} (EXPIRED).`
}
