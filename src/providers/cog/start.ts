import { createFailure, refuse } from '../../core/failure.ts'
import { uploadKey } from '../../core/upload.ts'
import type { Io, Job, StartAnswer } from '../contract.ts'
import type { Answer } from '../http.ts'
import { type Call, isRefusal, submitOnce, type VendorApi } from '../vendor-api.ts'
import { failureOfRefusal, isServersRefusal } from './failure.ts'
import { buildInput } from './inputs.ts'
import { observe } from './observe.ts'
import type { CogMode, CogTarget } from './options.ts'
import { type Handle, predictionSchema } from './wire.ts'

/** What a start needs besides the job. */
export interface StartSetting {
  readonly api: VendorApi
  readonly mode: CogMode
  readonly target: CogTarget
  /** Refuses while the server cannot be reached or take a run; asked before anything is sent. */
  readonly ready?: (io: Io) => Promise<void>
}

/** Chunks of an output are left out: they can be large, and the last webhook has them all. */
const events = ['start', 'logs', 'completed']

/** Starts one run under the attempt's own id, and asks for that id once: after its end the same request would run anew. */
export function start(job: Job, { api, mode, target, ready }: StartSetting, io: Io): Promise<StartAnswer> {
  const { name } = api.vendor
  const handle = handleOf(target, job.marker.attemptId)
  const submission = {
    async build(): Promise<Call> {
      const call = mode === 'held' ? heldCall : webhookCall
      const built = call(job, handle.id, await buildInput(job, target, name), name)
      await ready?.(io)
      return built
    },
    accepted({ json }: Answer): StartAnswer | null {
      const parsed = predictionSchema.safeParse(json)
      if (!parsed.success || (parsed.data.id ?? handle.id) !== handle.id) return null
      return { kind: 'accepted', handle: { ...handle }, seen: observe(parsed.data, handle.stored ?? null, name) }
    },
    isRefusal: (answer: Answer) => isRefusal(answer) || isServersRefusal(answer),
    refused: (answer: Answer) => failureOfRefusal(answer, api, io),
    broken(error: unknown): StartAnswer | null {
      // An answer that is too large is the end of a run that was good: it must not be looked for, and paid again.
      if (!(error instanceof RangeError)) return null
      const failure = createFailure('output_too_large', `${name}: ${error.message}`)
      return { kind: 'accepted', handle: { ...handle }, seen: { status: 'failed', word: 'too large', failure } }
    },
  }
  return submitOnce(api, submission, io)
}

function webhookCall(job: Job, id: string, input: unknown, server: string): Call {
  if (job.webhookUrl === null)
    refuse('no_route_for_bytes', `${server} has no address of ours to which it could post the end of the run.`, {
      advice: "Set a public base URL, or use the mode 'held'.",
    })
  return {
    method: 'PUT',
    path: `/predictions/${encodeURIComponent(id)}`,
    headers: { prefer: 'respond-async' },
    body: JSON.stringify({ input, webhook: job.webhookUrl, webhook_events_filter: events }),
  }
}

/** A POST, because proxies send a PUT again by themselves. */
function heldCall(_job: Job, id: string, input: unknown): Call {
  return { method: 'POST', path: '/predictions', body: JSON.stringify({ id, input }) }
}

/** The handle of a run of this target, which needs nothing that the server would have to tell. */
export function handleOf(target: CogTarget, attemptId: string): Handle {
  return { id: attemptId, ...(target.kit ? { stored: uploadKey(attemptId) } : {}) }
}
