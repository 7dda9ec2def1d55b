import { uploadKey } from '../../core/upload.ts'
import type { Io, Job, StartAnswer } from '../contract.ts'
import type { Answer } from '../http.ts'
import { submitOnce, type VendorApi } from '../vendor-api.ts'
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

/** Submits one job: the API has no idempotency key and no list, so a second bill would be noticed by nobody. */
export async function start(
  job: Job,
  target: RunpodTarget,
  /** A URL of ours as the worker can reach it, or null. */
  reachable: (url: string | null) => string | null,
  api: VendorApi,
  io: Io,
): Promise<StartAnswer> {
  const submission = {
    async build() {
      const webhook = reachable(job.webhookUrl)
      const body = JSON.stringify({
        input: await buildInput(job, target, reachable),
        ...(webhook === null ? {} : { webhook }),
        policy: {
          executionTimeout: within(target.executionTimeoutMs ?? job.runLimitMs, executionTimeoutBounds),
          ttl: within(job.deadlineInMs + ttlAllowanceMs, ttlBounds),
        },
      })
      checkSize(Buffer.byteLength(body), job, reachable)
      return { method: 'POST' as const, path: `/${target.endpoint}/run`, body }
    },
    accepted(answer: Answer) {
      const parsed = jobSchema.safeParse(answer.json)
      if (!parsed.success) return null
      const handle = handleOf(target, parsed.data.id, job.marker.attemptId)
      return { kind: 'accepted' as const, handle: { ...handle }, seen: observe(parsed.data, handle.stored ?? null) }
    },
  }
  return await submitOnce(api, submission, io)
}

/** The handle of a job of this target, whether its id came with the start's answer or with a callback. */
export function handleOf(target: RunpodTarget, id: string, attemptId: string): Handle {
  return { endpoint: target.endpoint, id, ...(target.kit ? { stored: uploadKey(attemptId) } : {}) }
}

function within(ms: number, { min, max }: { readonly min: number; readonly max: number }): number {
  return Math.min(Math.max(Math.ceil(ms), min), max)
}
