import { createFailure } from '../../core/failure.ts'
import type { Observation } from '../contract.ts'
import { outputsOf, textsOf } from '../outputs.ts'
import { progressOf } from '../progress-bar.ts'
import { failureOfRun } from './failure.ts'
import type { WireHealth, WirePrediction } from './wire.ts'

/**
 * One prediction, whether answered or heard, as an observation. `stored` is where a kit's output lands: a kit's success
 * names it, and collecting finds it there or not at all.
 */
export function observe(prediction: WirePrediction, stored: string | null, server: string): Observation {
  const logs = prediction.logs ?? ''
  const runMs = runMsOf(prediction)
  const seen = {
    word: prediction.status,
    progress: progressOf(logs),
    logLength: logs.length,
    logTail: logs.slice(-4000),
    ...(runMs === null ? {} : { metrics: { runMs } }),
  }
  switch (prediction.status) {
    // There is no queue: what is accepted has its place, and begins at once.
    case 'starting':
    case 'processing':
      return { status: 'running', ...seen }
    case 'succeeded':
      return { ...seen, ...succeeded(prediction, stored, server) }
    case 'failed':
      return { status: 'failed', ...seen, failure: failureOfRun(prediction.error, server) }
    case 'canceled':
      return { status: 'canceled', ...seen }
    default:
      return { status: 'unclear', ...seen }
  }
}

function runMsOf({ metrics, started_at: from = '', completed_at: to = '' }: WirePrediction): number | null {
  if (metrics?.predict_time !== undefined) return metrics.predict_time * 1000
  const ms = Date.parse(to) - Date.parse(from)
  return ms >= 0 ? ms : null
}

/** Where a container keeps its files: what 0.16 posts in place of an output when it has nowhere to upload it. */
const ownPath = /^(?:file:\/\/)?\/(?:tmp|var|src|root|home|outputs?)\/[\w./ -]+$/

function ownPathOf(output: unknown): string | null {
  for (const text of textsOf(output)) if (text.length < 500 && ownPath.test(text)) return text
  return null
}

function succeeded(
  { output }: WirePrediction,
  stored: string | null,
  server: string,
): Pick<Observation, 'status' | 'outputs' | 'failure'> {
  if (stored !== null) return { status: 'succeeded', outputs: [{ kind: 'stored', key: stored }] }
  const path = ownPathOf(output)
  if (path === null) return { status: 'succeeded', outputs: outputsOf(output, { bareBase64: false }) }
  return {
    status: 'failed',
    failure: createFailure(
      'output_lost',
      `${server} answered with a path inside its own container (${path}) instead of a file: it has nowhere to upload to.`,
      { advice: "Start the server with --upload-url, use the mode 'held', or a Cog of 0.17 or later." },
    ),
  }
}

/**
 * What the server's health says of a run that it accepted. It cannot be asked for the run itself: that it is free may mean
 * that the run is over and its webhook still to come, or that other places are free. Only a server that runs nothing any
 * more is an end.
 */
export function observeHealth({ status }: WireHealth, server: string): Observation {
  switch (status) {
    case 'BUSY':
      return { status: 'running', word: status }
    case 'DEFUNCT':
    case 'SETUP_FAILED':
      return {
        status: 'failed',
        word: status,
        failure: createFailure('worker_lost', `${server}: the server is ${status}; what it ran is lost.`),
      }
    case 'READY':
      return { status: 'unclear', word: status, hint: unheard(server) }
    default:
      return { status: 'unclear', word: status }
  }
}

function unheard(server: string): Observation['hint'] {
  return {
    message: `${server}: the server is READY, which means that it is free again: the run has most likely ended, and the webhook with its result did not arrive.`,
    advice:
      "See that the server can reach the gateway's public URL, which `surefoot doctor` checks: its webhooks may end at a proxy or a firewall.",
  }
}
