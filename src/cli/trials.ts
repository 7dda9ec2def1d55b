import { basename } from 'node:path'
import { SurefootError } from '../core/failure.ts'
import { isTerminal } from '../core/prediction.ts'
import type { PredictionJson } from '../http/shapes.ts'
import { isGone } from './client.ts'
import type { Trial } from './comparison.ts'
import type { Connection } from './connection.ts'
import { formatDuration, formatProgress } from './format.ts'
import type { ProgressBoard } from './progress-board.ts'
import { settle } from './settle.ts'

/** What is run on every deployment. */
export interface Plan {
  /** `owner/name`. */
  readonly model: string
  /** Paths. */
  readonly photos: readonly string[]
  /** Of each photo. */
  readonly runs: number
  readonly timeoutSeconds?: number
}

/** All runs on one deployment, one after the other, so that none waits for another one of ours. */
export async function runLane(
  connection: Connection,
  board: ProgressBoard,
  plan: Plan,
  deployment: string,
  interrupted: AbortSignal,
  trials: Trial[],
): Promise<void> {
  const of = plan.runs * plan.photos.length
  const own = () => trials.filter(trial => trial.deployment === deployment)
  const show = (now: string, fraction: number) => {
    const failed = own().filter(({ status }) => status !== 'succeeded').length
    board.show(deployment, { done: own().length, of, failed, now, fraction })
  }
  show('', 0)
  for (let run = 1; run <= plan.runs; run++) {
    for (const photo of plan.photos) {
      if (interrupted.aborted) return
      const trial = await tryOnce(connection, plan, { deployment, photo, run }, interrupted, show)
      trials.push(trial)
      show('', 0)
      board.note(describeTrial(trial, of, own().length))
      // Refused before it began: the next one would be, too.
      if (trial.id === null) return
    }
  }
}

async function tryOnce(
  connection: Connection,
  { model, timeoutSeconds }: Plan,
  { deployment, photo, run }: { readonly deployment: string; readonly photo: string; readonly run: number },
  interrupted: AbortSignal,
  show: (now: string, fraction: number) => void,
): Promise<Trial> {
  const trial = { deployment, photo: basename(photo), run }
  const limit = timeoutSeconds === undefined ? {} : { timeoutSeconds }
  let id: string
  try {
    const request = { photo, model, fields: {}, deployments: [deployment], ...limit }
    id = (await connection.client.create(request)).id
  } catch (error) {
    if (!SurefootError.is(error) || isGone(error)) throw error
    const { code, message } = error.failure
    return { ...trial, id: null, status: 'refused', seconds: null, failure: { code, message }, attempts: [] }
  }
  const cancel = () => void connection.persist(client => client.cancel(id)).catch(() => undefined)
  if (interrupted.aborted) cancel()
  interrupted.addEventListener('abort', cancel, { once: true })
  try {
    const ended = await follow(connection, id, show)
    // What a run cost is known when the provider has confirmed its end.
    await connection.persist(client => settle(client, id))
    const { attempts } = await connection.persist(client => client.attempts(id))
    const { failure } = ended.surefoot
    return {
      ...trial,
      id,
      status: ended.status,
      seconds: ended.metrics.total_time ?? null,
      failure: failure && { code: failure.code, message: failure.message },
      attempts,
    }
  } finally {
    interrupted.removeEventListener('abort', cancel)
  }
}

async function follow(
  connection: Connection,
  id: string,
  show: (now: string, fraction: number) => void,
): Promise<PredictionJson> {
  return await connection.persist(async client => {
    for await (const prediction of client.watch(id)) {
      const { progress } = prediction.surefoot
      if (isTerminal(prediction.status)) return prediction
      show(formatProgress(progress?.stage ?? prediction.status, progress?.fraction ?? null), progress?.fraction ?? 0)
    }
    return await client.get(id)
  })
}

function describeTrial({ deployment, photo, status, seconds, failure }: Trial, of: number, number: number): string {
  const took = seconds === null ? '' : ` in ${formatDuration(seconds * 1_000)}`
  const why = failure === null ? '' : ` (${failure.code}: ${failure.message})`
  return `${deployment}: ${number} of ${of}, ${photo} ${status}${took}${why}`
}
