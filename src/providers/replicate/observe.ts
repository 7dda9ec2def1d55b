import { createFailure } from '../../core/failure.ts'
import type { OutputReference, Progress } from '../../core/prediction.ts'
import type { Observation } from '../contract.ts'
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

/**
 * Every file in the output in the order in which it appears, however deep. An output without files (text, numbers) is
 * itself the result and comes as one data URI. Nothing, or purged after the vendor's hour: empty.
 */
export function outputsOf(prediction: WirePrediction): OutputReference[] {
  const { output } = prediction
  if (output == null || prediction.data_removed === true) return []
  const files: OutputReference[] = []
  collect(output, files, 0)
  if (files.length > 0) return files
  if (output === '' || (typeof output === 'object' && Object.keys(output).length === 0)) return []
  const [mediaType, text] =
    typeof output === 'string' ? ['text/plain', output] : ['application/json', JSON.stringify(output)]
  return [{ kind: 'data', uri: `data:${mediaType};base64,${Buffer.from(text).toString('base64')}` }]
}

function collect(value: unknown, files: OutputReference[], depth: number): void {
  if (typeof value === 'string') {
    if (/^https?:\/\//i.test(value) && URL.canParse(value)) files.push({ kind: 'url', url: value })
    else if (/^data:[^,]*,/i.test(value)) files.push({ kind: 'data', uri: value })
  } else if (typeof value === 'object' && value !== null && depth < 8) {
    for (const each of Object.values(value)) collect(each, files, depth + 1)
  }
}

/** A tqdm bar: an optional name, a percentage, the bar, and where given how many of how many. */
const bar = /^\s*(?:([^|%]{1,80}?):\s+)?(\d{1,3})%\s*\|[^|]*\|(?:\s*(\d+)\/(\d+))?/

/** The last progress bar in the logs, searched from the end; null without one. */
export function progressOf(logs: string): Progress | null {
  // Bars redraw themselves with carriage returns; a long log need not be read whole for its last line.
  const lines = logs.slice(-64_000).split(/[\r\n]+/)
  for (let index = lines.length - 1; index >= 0; index--) {
    const match = bar.exec((lines[index] ?? '').slice(0, 400))
    if (match === null) continue
    const [, name, percent, done, total] = match
    const exact = Number(total) > 0 ? Number(done) / Number(total) : Number(percent) / 100
    return { stage: name?.trim() ?? null, fraction: Math.min(1, exact) }
  }
  return null
}
