import { refuse } from '../../core/failure.ts'
import { uploadKey } from '../../core/upload.ts'
import type { Io, Job, StartAnswer } from '../contract.ts'
import type { Answer } from '../http.ts'
import { submitOnce, type VendorApi } from '../vendor-api.ts'
import { buildInput, checkSize, maxRequestBytes, type Reachable } from './inputs.ts'
import { type BasetenTarget, placeOf, queueSecondsBounds } from './options.ts'
import { type Handle, submittedSchema } from './wire.ts'

/**
 * By itself Baseten runs a request up to three times, and bills each. Whether once more is worth it is the policy's to
 * decide. The delays have no meaning then; they are the vendor's own example.
 */
const oneAttempt = { max_attempts: 1, initial_delay_ms: 1_000, max_delay_ms: 5_000 } as const

/**
 * Puts one request into the queue: the API has no idempotency key and no list, so a second bill would be noticed by nobody.
 * Refuses with `no_route_for_bytes` where the result could not come back.
 */
export async function start(
  job: Job,
  target: BasetenTarget,
  reachable: Reachable,
  api: VendorApi,
  io: Io,
): Promise<StartAnswer> {
  const submission = {
    async build() {
      const webhook = reachable(job.webhookUrl)
      if (webhook === null && !target.kit) refuseWithoutWebhook()
      const body = JSON.stringify({
        model_input: await buildInput(job, target, reachable, maxRequestBytes.async),
        ...(webhook === null ? {} : { webhook_endpoint: webhook }),
        ...(target.priority === undefined ? {} : { priority: target.priority }),
        max_time_in_queue_seconds: target.maxQueueSeconds ?? queueSecondsUntil(job.deadlineInMs),
        inference_retry_config: oneAttempt,
      })
      checkSize(Buffer.byteLength(body), job, reachable, maxRequestBytes.async)
      return { method: 'POST' as const, path: `${placeOf(target)}/async_predict`, body }
    },
    accepted(answer: Answer) {
      const parsed = submittedSchema.safeParse(answer.json)
      if (!parsed.success) return null
      const handle = { ...handleOf(target, parsed.data.request_id, job.marker.attemptId) }
      return { kind: 'accepted' as const, handle, seen: { status: 'queued' as const, word: 'QUEUED' } }
    },
  }
  return await submitOnce(api, submission, io)
}

/** The handle of a request of this target, whether its id came with the start's answer or with a callback. */
export function handleOf(target: BasetenTarget, id: string, attemptId: string): Handle {
  return { model: target.model, id, ...(target.kit ? { stored: uploadKey(attemptId) } : {}) }
}

function refuseWithoutWebhook(): never {
  refuse(
    'no_route_for_bytes',
    'Baseten keeps no results, and its webhook has no address of ours to bring this one to.',
    {
      advice: "Set a public base URL (https), or use the provider option mode: 'held' for small work.",
    },
  )
}

/** What still waits at the deadline is dropped there and then: nothing can stop it once it runs. */
function queueSecondsUntil(deadlineInMs: number): number {
  return Math.min(Math.max(Math.ceil(deadlineInMs / 1000), queueSecondsBounds.min), queueSecondsBounds.max)
}
