import { createFailure, type Failure, SurefootError } from '../../core/failure.ts'
import type { Io, Job, StartAnswer } from '../contract.ts'
import { type Answer, describeNetworkError, surelyNotSent } from '../http.ts'
import { type Api, ask } from './api.ts'
import { failureOfAnswer, wordsOf } from './failure.ts'
import { buildInput } from './inputs.ts'
import { observe } from './observe.ts'
import type { ReplicateTarget } from './options.ts'
import { predictionSchema } from './wire.ts'

export interface StartOptions {
  readonly preferUpload: boolean
  /** The vendor takes https webhooks only; an emulator on this machine takes http as well. */
  readonly plainWebhooks: boolean
}

/** What queueing and booting may take on top of the run, before the vendor's own timer ends a run that we lost. */
const startAllowanceMs = 15 * 60_000

/**
 * Creates one prediction, with exactly one POST: the API has no idempotency key, so a second POST is a second bill.
 * Whatever happens before that POST is `rejected`; whatever is unclear after it is `unknown`.
 */
export async function start(
  job: Job,
  target: ReplicateTarget,
  options: StartOptions,
  api: Api,
  io: Io,
): Promise<StartAnswer> {
  const webhook = job.webhookUrl?.startsWith('https:') || options.plainWebhooks ? job.webhookUrl : null
  let body: string
  try {
    const input = await buildInput(
      job,
      target,
      { preferUpload: options.preferUpload, hasWebhook: webhook !== null },
      api,
      io,
    )
    body = JSON.stringify({
      ...('version' in target ? { version: target.version } : {}),
      input,
      ...(webhook === null ? {} : { webhook, webhook_events_filter: ['start', 'completed'] }),
    })
    io.signal.throwIfAborted()
  } catch (error) {
    return { kind: 'rejected', failure: failureBefore(error, io.signal) }
  }

  const headers = { 'content-type': 'application/json', 'cancel-after': cancelAfter(job) }
  let answer: Answer
  try {
    answer = await api.send({ method: 'POST', path: pathOf(target), headers, body }, io)
  } catch (error) {
    const words = describeNetworkError(error, io.signal)
    if (surelyNotSent(error))
      return {
        kind: 'rejected',
        failure: createFailure('provider_unreachable', `Replicate could not be reached: ${words}.`),
      }
    return unknown(`${words}.`)
  }
  return judge(answer, api, io)
}

async function judge(answer: Answer, api: Api, io: Io): Promise<StartAnswer> {
  const { status } = answer
  if (status >= 200 && status < 300) {
    const prediction = predictionSchema.safeParse(answer.json)
    if (!prediction.success) return unknown(failureOfAnswer(answer).message)
    return { kind: 'accepted', handle: { id: prediction.data.id }, seen: observe(prediction.data) }
  }
  // 408 and 409 are in no list of the vendor's; they may come from anything in between, after the request went on.
  const refused = status >= 400 && status < 500 && status !== 408 && status !== 409
  if (!refused) return unknown(failureOfAnswer(answer).message, failureOfAnswer(answer).retryAfterMs)
  if (status === 422 && /invalid version or not permitted/i.test(wordsOf(answer)))
    return { kind: 'rejected', failure: await tellTokenFromVersion(answer, api, io) }
  return { kind: 'rejected', failure: failureOfAnswer(answer) }
}

/** The vendor words a bad token and a missing version alike; only the account endpoint tells them apart. */
async function tellTokenFromVersion(answer: Answer, api: Api, io: Io): Promise<Failure> {
  const message = failureOfAnswer(answer).message
  try {
    const account = await ask(io.signal, () => api.send({ method: 'GET', path: '/account' }, io))
    if (account.status === 401 || account.status === 403)
      return createFailure('auth_rejected', `${message} The token itself is refused (${account.status}).`)
  } catch {
    // The refusal stands either way; without the account's answer the version is the likelier reason.
  }
  return createFailure('deployment_missing', message)
}

/** In whole minutes, rounded up: the only form that the vendor shows. It is the last net under our own, exact timers. */
function cancelAfter(job: Job): string {
  return `${Math.max(1, Math.ceil(Math.min(job.runLimitMs + startAllowanceMs, job.deadlineInMs) / 60_000))}m`
}

function pathOf(target: ReplicateTarget): string {
  if ('model' in target) return `/models/${target.model}/predictions`
  if ('deployment' in target) return `/deployments/${target.deployment}/predictions`
  return '/predictions'
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
