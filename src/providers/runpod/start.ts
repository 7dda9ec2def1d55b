import { createFailure, type Failure, SurefootError } from '../../core/failure.ts'
import { uploadKey } from '../../core/upload.ts'
import type { Io, Job, StartAnswer } from '../contract.ts'
import { type Answer, describeNetworkError, surelyNotSent } from '../http.ts'
import type { Api } from './api.ts'
import { failureOfAnswer } from './failure.ts'
import { buildInput, checkSize } from './inputs.ts'
import { observe } from './observe.ts'
import { executionTimeoutBounds, type RunpodTarget } from './options.ts'
import { type Handle, jobSchema } from './wire.ts'

const day = 24 * 60 * 60_000
/** The vendor's bounds of a job's `ttl`. */
const ttlBounds = { min: 10_000, max: 7 * day } as const
/**
 * The vendor forgets a job whose `ttl` is over, even while it runs. Ours comes first: at the deadline the job is cancelled
 * and its end confirmed, which needs a vendor that still knows it.
 */
const ttlAllowanceMs = 60_000

/**
 * Submits one job, with exactly one POST: the API has no idempotency key and no list, so a second POST is a second bill
 * that nobody would notice. Whatever happens before that POST is `rejected`; whatever is unclear after it is `unknown`.
 */
export async function start(
  job: Job,
  target: RunpodTarget,
  /** A URL of ours as the worker can reach it, or null. */
  reachable: (url: string | null) => string | null,
  api: Api,
  io: Io,
): Promise<StartAnswer> {
  let body: string
  try {
    const webhook = reachable(job.webhookUrl)
    body = JSON.stringify({
      input: await buildInput(job, target, reachable),
      ...(webhook === null ? {} : { webhook }),
      policy: {
        executionTimeout: within(target.executionTimeoutMs ?? job.runLimitMs, executionTimeoutBounds),
        ttl: within(job.deadlineInMs + ttlAllowanceMs, ttlBounds),
      },
    })
    checkSize(Buffer.byteLength(body), job, reachable)
    io.signal.throwIfAborted()
  } catch (error) {
    return { kind: 'rejected', failure: failureBefore(error, io.signal) }
  }

  let answer: Answer
  try {
    answer = await api.send({ method: 'POST', path: `/${target.endpoint}/run`, body }, io)
  } catch (error) {
    const words = describeNetworkError(error, io.signal)
    if (surelyNotSent(error))
      return {
        kind: 'rejected',
        failure: createFailure('provider_unreachable', `RunPod could not be reached: ${words}.`),
      }
    return unknown(`${words}.`)
  }
  return judge(answer, id => handleOf(target, id, job.marker.attemptId))
}

/** The handle of a job of this target, whether its id came with the start's answer or with a callback. */
export function handleOf(target: RunpodTarget, id: string, attemptId: string): Handle {
  return { endpoint: target.endpoint, id, ...(target.kit ? { stored: uploadKey(attemptId) } : {}) }
}

function judge(answer: Answer, handleOf: (id: string) => Handle): StartAnswer {
  const { status } = answer
  if (status >= 200 && status < 300) {
    const job = jobSchema.safeParse(answer.json)
    if (!job.success) return unknown(failureOfAnswer(answer).message)
    const handle = handleOf(job.data.id)
    return { kind: 'accepted', handle: { ...handle }, seen: observe(job.data, handle.stored ?? null) }
  }
  // 408 and 409 are in no list of the vendor's; they may come from anything in between, after the request went on.
  const refused = status >= 400 && status < 500 && status !== 408 && status !== 409
  const failure = failureOfAnswer(answer)
  return refused ? { kind: 'rejected', failure } : unknown(failure.message, failure.retryAfterMs)
}

function within(ms: number, { min, max }: { readonly min: number; readonly max: number }): number {
  return Math.min(Math.max(Math.ceil(ms), min), max)
}

function failureBefore(error: unknown, signal: AbortSignal): Failure {
  if (SurefootError.is(error)) return error.failure
  return createFailure('provider_unreachable', `Nothing was started: ${describeNetworkError(error, signal)}.`)
}

function unknown(words: string, retryAfterMs?: number): StartAnswer {
  const more = retryAfterMs === undefined ? {} : { retryAfterMs }
  return {
    kind: 'unknown',
    failure: createFailure('start_unknown', `The answer to the start was lost: ${words}`, more),
  }
}
