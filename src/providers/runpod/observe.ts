import { createFailure, type Failure } from '../../core/failure.ts'
import type { Observation } from '../contract.ts'
import { outputsOf } from '../outputs.ts'
import { failureOfRun } from './failure.ts'
import { lostPathOf } from './outputs.ts'
import { progressOf } from './progress.ts'
import type { WireJob } from './wire.ts'

/**
 * One job, whether asked for, submitted or heard, as an observation. Only the status word ends a job: `output` under any
 * other word than `COMPLETED` is the last progress update, and a late one may overwrite the result and the word with it.
 * `stored` is where a kit's output lands: a kit's `COMPLETED` names it, and collecting finds it there or not at all.
 */
export function observe(job: WireJob, stored: string | null): Observation {
  const metrics = metricsOf(job)
  const seen = { word: job.status, ...(metrics === null ? {} : { metrics }) }
  switch (job.status) {
    case 'IN_QUEUE':
      // Waiting, a cold start and a worker that crashes on start all look like this; only `health` can tell them apart.
      return { status: 'queued', ...seen }
    case 'IN_PROGRESS':
    case 'RUNNING':
      return { status: 'running', ...seen, progress: progressOf(job.output) }
    case 'COMPLETED':
      return { ...seen, ...completed(job, stored) }
    case 'FAILED':
      return { status: 'failed', ...seen, failure: failureOfRun(job.error) }
    case 'CANCELLED':
      return { status: 'canceled', ...seen }
    case 'TIMED_OUT':
      return { status: 'failed', ...seen, failure: timedOut(job) }
    default:
      // The vendor stamps no end by which an unknown word could be judged: only policy ends such an attempt.
      return { status: 'unclear', ...seen }
  }
}

/** Without an output it is still what the vendor says; that the result is lost, the engine concludes from the empty list. */
function completed(job: WireJob, stored: string | null): Pick<Observation, 'status' | 'outputs' | 'failure'> {
  if (stored !== null) return { status: 'succeeded', outputs: [{ kind: 'stored', key: stored }] }
  const path = lostPathOf(job.output)
  if (path === null) return { status: 'succeeded', outputs: outputsOf(job.output, { bareBase64: true }) }
  return {
    status: 'failed',
    failure: createFailure(
      'output_lost',
      `The worker answered with a path on its own disk (${path}) instead of a URL: it has no bucket to upload to.`,
      { advice: "Set BUCKET_ENDPOINT_URL and the bucket's keys on the endpoint, and see that its image has boto3." },
    ),
  }
}

/** `executionTime` says whether a worker ever had it. */
function timedOut({ executionTime, delayTime }: WireJob): Failure {
  if (executionTime !== undefined && executionTime > 0)
    return createFailure('run_timeout', `RunPod ended the job after ${seconds(executionTime)} on a worker (TIMED_OUT).`)
  const waited = delayTime === undefined ? '' : ` within ${seconds(delayTime)}`
  return createFailure('queue_timeout', `No worker of the endpoint took the job${waited} (TIMED_OUT).`)
}

function metricsOf({ delayTime, executionTime }: WireJob): Observation['metrics'] | null {
  if (delayTime === undefined && executionTime === undefined) return null
  return {
    ...(executionTime === undefined ? {} : { runMs: executionTime }),
    ...(delayTime === undefined ? {} : { totalMs: delayTime + (executionTime ?? 0) }),
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
