import type { CancelAnswer, FoundRun, Io, Observation } from '../contract.ts'
import type { Bucket } from './bucket.ts'
import { failureOfWords, type KitState, keysOf, outputsAt, progressOf, readState } from './kit.ts'

/**
 * A run that nobody but its kit can tell of. Without a report it waits for a worker, as far as anybody can see; the vendor
 * may also have dropped it, which only policy can end.
 */
export async function observeReported(folder: string, bucket: Bucket, io: Io): Promise<Observation> {
  const state = await readState(folder, bucket, io)
  const seen = toObservation(state)
  return seen.status === 'succeeded' ? { ...seen, outputs: await outputsAt({ folder }, bucket, io) } : seen
}

function toObservation(state: KitState | null): Observation {
  const word = state?.state ?? 'no report'
  switch (state?.state) {
    case undefined:
      return { status: 'queued', word }
    case 'running':
      return { status: 'running', word, progress: progressOf(state) }
    case 'done':
      return { status: 'succeeded', word, ...metricsOf(state.runMs) }
    case 'failed':
      return { status: 'failed', word, ...metricsOf(state.runMs), failure: failureOfWords(state.error) }
    case 'canceled':
      return { status: 'canceled', word, metrics: { runMs: 0 } }
  }
}

function metricsOf(runMs: number | undefined): Pick<Observation, 'metrics'> {
  return runMs === undefined ? {} : { metrics: { runMs } }
}

/** An attempt's run, if its kit has reported; its place follows from the attempt alone. */
export async function findReported(folder: string, bucket: Bucket, io: Io): Promise<FoundRun[]> {
  const state = await readState(folder, bucket, io)
  return state === null || state.state === 'canceled' ? [] : [{ handle: { folder } }]
}

/** What a claim holds that was taken by a cancel, which may have been cut off before it reported. */
const ourClaim = 'cancelled by Surefoot'

/**
 * Takes the claim before a worker does: a kit that comes later finds it taken and ends at once. A kit that was first cannot
 * be stopped.
 */
export async function cancelReported(folder: string, bucket: Bucket, io: Io): Promise<CancelAnswer> {
  const { claim, state } = keysOf(folder)
  const isOurs = (await bucket.putOnce(claim, ourClaim, io)) || (await bucket.text(claim, io)) === ourClaim
  if (!isOurs) return 'impossible'
  await bucket.put(state, JSON.stringify({ state: 'canceled' }), 'application/json', io)
  return 'requested'
}
