import { createFailure, type Failure, refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import { uploadKey } from '../../core/upload.ts'
import type { Io, Job, Observation, StartAnswer } from '../contract.ts'
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
  readonly kitSecret?: string | undefined
  readonly target: CogTarget
  /** A URL of ours as the server can reach it, or null. */
  readonly reachable: (url: string | null) => string | null
  /** What stands between us and the server; absent where nothing does that speaks for itself. */
  readonly edge?: Edge
}

/** Something in front of the server that gives answers of its own while there is no server to pass a request on to. */
export interface Edge {
  /** Fails as long as the server cannot be reached, or can take no run: asked before anything is sent. */
  ready(io: Io): Promise<void>
  /** What a refusal of a start means that is the edge's own; null: it is the server's. */
  refusal(answer: Answer): Failure | null
  /** What an answer to a poll says that is the edge's own; null: it is the server's. */
  observe(answer: Answer): Observation | null
}

/** Chunks of an output are left out: they can be large, and the last webhook has them all. */
const events = ['start', 'logs', 'completed']

const ends: readonly Observation['status'][] = ['succeeded', 'failed', 'canceled']

/** Starts one run under the attempt's own id, and asks for that id once: after its end the same request would run anew. */
export function start(
  job: Job,
  { api, mode, kitSecret, target, reachable, edge }: StartSetting,
  io: Io,
): Promise<StartAnswer> {
  const { name } = api.vendor
  const handle = handleOf(target, job.marker.attemptId)
  const submission = {
    async build(): Promise<Call> {
      const input = await buildInput(job, target, reachable, name, kitSecret)
      const built =
        mode === 'held' ? heldCall(handle.id, input) : webhookCall(handle.id, input, reachable(job.webhookUrl), name)
      await edge?.ready(io)
      return built
    },
    accepted({ json }: Answer): StartAnswer | null {
      const parsed = predictionSchema.safeParse(json)
      if (!parsed.success || (parsed.data.id ?? handle.id) !== handle.id) return null
      const seen = observe(parsed.data, handle.stored ?? null, name)
      // A held request that was answered before the end tells nothing more: the run may be lost.
      if (mode === 'held' && !ends.includes(seen.status)) return null
      return { kind: 'accepted', handle: { ...handle }, seen }
    },
    isRefusal: (answer: Answer) => isRefusal(answer) || isServersRefusal(answer),
    refused: async (answer: Answer) => edge?.refusal(answer) ?? (await failureOfRefusal(answer, api, io)),
    broken(error: unknown): StartAnswer | null {
      // An answer that is too large is the end of a run that was good: it must not be looked for, and paid again.
      if (!(error instanceof RangeError)) return null
      const failure = createFailure('output_too_large', `${name}: ${error.message}`)
      return { kind: 'accepted', handle: { ...handle }, seen: { status: 'failed', word: 'too large', failure } }
    },
  }
  return submitOnce(api, submission, io)
}

function webhookCall(id: string, input: JsonObject, webhook: string | null, server: string): Call {
  if (webhook === null)
    refuse('no_route_for_bytes', `${server} has no address of ours to which it could post the end of the run.`, {
      advice: "Set a public base URL, or use the mode 'held'.",
    })
  return {
    method: 'PUT',
    path: `/predictions/${encodeURIComponent(id)}`,
    headers: { prefer: 'respond-async' },
    body: JSON.stringify({ input, webhook, webhook_events_filter: events }),
  }
}

/** A POST, because proxies send a PUT again by themselves. */
function heldCall(id: string, input: JsonObject): Call {
  return { method: 'POST', path: '/predictions', body: JSON.stringify({ id, input }) }
}

/** The handle of a run of this target, which needs nothing that the server would have to tell. */
export function handleOf(target: CogTarget, attemptId: string): Handle {
  return { id: attemptId, ...(target.kit ? { stored: uploadKey(attemptId) } : {}) }
}
