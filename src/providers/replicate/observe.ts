import { createFailure } from '../../core/failure.ts'
import type { OutputReference } from '../../core/prediction.ts'
import type { Observation } from '../contract.ts'
import { outputsOf as filesOf } from '../outputs.ts'
import { progressOf } from '../progress-bar.ts'
import { failureOfRun } from './failure.ts'
import type { WirePrediction } from './wire.ts'

/**
 * One prediction object, whether read, listed, created or heard, as an observation. Only the status word ends a run:
 * `Prefer: wait` answers `processing` with a full output, and `starting` for what already runs.
 */
export function observe(prediction: WirePrediction): Observation {
  const logs = prediction.logs ?? ''
  const metrics = metricsOf(prediction)
  const seen = {
    word: prediction.status,
    progress: progressOf(logs),
    logLength: logs.length,
    logTail: logs.slice(-4000),
    ...(metrics === null ? {} : { metrics }),
  }
  switch (prediction.status) {
    case 'starting':
      // Queued or booting, the vendor does not tell which; a cold boot of several minutes is normal, a queue that long is not.
      return { status: 'booting', ...seen }
    case 'processing':
      return { status: 'running', ...seen }
    case 'succeeded':
      return { status: 'succeeded', ...seen, outputs: outputsOf(prediction) }
    case 'failed':
      return { status: 'failed', ...seen, failure: failureOfRun(prediction.error, metrics?.runMs) }
    case 'canceled':
      return { status: 'canceled', ...seen }
    case 'aborted':
      return {
        status: 'canceled',
        ...seen,
        failure: createFailure(
          'queue_timeout',
          'Replicate aborted the prediction: its deadline came before a worker did.',
        ),
      }
    default:
      return observeUnknownWord(prediction, seen)
  }
}

/** A word that nobody has heard of: over when the vendor has stamped an end, else only policy ends the attempt. */
function observeUnknownWord(prediction: WirePrediction, seen: Omit<Observation, 'status'>): Observation {
  if (prediction.completed_at == null) return { status: 'unclear', ...seen }
  const outputs = outputsOf(prediction)
  if (prediction.error == null && outputs.length > 0) return { status: 'succeeded', ...seen, outputs }
  return {
    status: 'failed',
    ...seen,
    failure: failureOfRun(prediction.error ?? `ended as "${prediction.status}"`, seen.metrics?.runMs),
  }
}

function metricsOf(prediction: WirePrediction): Observation['metrics'] | null {
  const { predict_time: run, total_time: total } = prediction.metrics ?? {}
  if (run === undefined && total === undefined) return null
  return {
    ...(run === undefined ? {} : { runMs: run * 1000 }),
    ...(total === undefined ? {} : { totalMs: total * 1000 }),
  }
}

/** The files of a prediction, or its answer as one; empty when there is none, or it was purged after the vendor's hour. */
function outputsOf({ output, data_removed }: WirePrediction): OutputReference[] {
  return data_removed === true ? [] : filesOf(output, { bareBase64: false })
}
