import { createFailure, type Failure } from '../../core/failure.ts'
import type { Io, Job, StartAnswer } from '../contract.ts'
import type { Answer } from '../http.ts'
import { submitOnce, type VendorApi, wordsOf } from '../vendor-api.ts'
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

/** Creates one prediction: the API has no idempotency key. */
export async function start(
  job: Job,
  target: ReplicateTarget,
  { preferUpload, plainWebhooks }: StartOptions,
  api: VendorApi,
  io: Io,
): Promise<StartAnswer> {
  const webhook = job.webhookUrl?.startsWith('https:') || plainWebhooks ? job.webhookUrl : null
  const submission = {
    async build() {
      const input = await buildInput(job, target, { preferUpload, hasWebhook: webhook !== null }, api, io)
      const body = JSON.stringify({
        ...('version' in target ? { version: target.version } : {}),
        input,
        ...(webhook === null ? {} : { webhook, webhook_events_filter: ['start', 'completed'] }),
      })
      return { method: 'POST' as const, path: pathOf(target), headers: { 'cancel-after': cancelAfter(job) }, body }
    },
    accepted(answer: Answer) {
      const prediction = predictionSchema.safeParse(answer.json)
      if (!prediction.success) return null
      return { kind: 'accepted' as const, handle: { id: prediction.data.id }, seen: observe(prediction.data) }
    },
    async refused(answer: Answer) {
      const failure = api.failureOf(answer)
      const isTwofold = answer.status === 422 && /invalid version or not permitted/i.test(wordsOf(answer))
      return isTwofold ? await tellTokenFromVersion(failure, api, io) : failure
    },
  }
  return await submitOnce(api, submission, io)
}

/** The vendor words a bad token and a missing version alike; only the account endpoint tells them apart. */
async function tellTokenFromVersion({ message }: Failure, api: VendorApi, io: Io): Promise<Failure> {
  try {
    const account = await api.ask({ method: 'GET', path: '/account' }, io)
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
