import { createFailure } from '../../../core/failure.ts'
import type { Io, Job, StartAnswer } from '../../contract.ts'
import { type Answer, vendorWords } from '../../http.ts'
import { kitKey } from '../../kit.ts'
import { type Call, isRefusal, submitOnce, toSentence, type VendorApi } from '../../vendor-api.ts'
import { errorNameOf } from '../api.ts'
import type { Bucket } from '../bucket.ts'
import { keysOf, kitInput } from '../kit.ts'
import type { LambdaTarget } from './options.ts'

/** AWS took events up to 256 KB until 2025 and takes 1 MB now; what is below both is sent whole, the rest by the bucket. */
const mostInlineBytes = 240_000

/** What a start needs beside its job. */
export interface LambdaPlace {
  readonly bucket: Bucket
  /** Begins the keys of the attempt's objects. */
  readonly folder: string
  /** A URL of ours as a function can reach it, or null. */
  reachable(url: string | null): string | null
}

/**
 * Sends one event. Lambda has no key for it and may deliver it twice by itself: the kit's claim in the bucket lets only one
 * delivery of an attempt work.
 */
export async function start(
  job: Job,
  target: LambdaTarget,
  place: LambdaPlace,
  api: VendorApi,
  invoke: (name: string, payload: string, io: Io) => Promise<Call>,
  io: Io,
): Promise<StartAnswer> {
  const handle = { folder: place.folder }
  const submission = {
    build: async () => invoke(target.function, await payloadOf(job, target, place, io), io),
    accepted(answer: Answer): StartAnswer | null {
      const error = answer.headers.get('x-amz-function-error')
      if (error !== null) {
        // Not what an event is answered with; but then the function ran and failed.
        const failure = createFailure('model_error', toSentence(`The function failed: ${vendorWords(answer.text)}`))
        return { kind: 'accepted', handle, seen: { status: 'failed', word: error.slice(0, 200), failure } }
      }
      return answer.status === 202 ? { kind: 'accepted', handle } : null
    },
    // A function that is being changed; any other 409 proves nothing.
    isRefusal: (answer: Answer) => isRefusal(answer) || errorNameOf(answer) === 'ResourceConflictException',
  }
  return await submitOnce(api, submission, io)
}

/** The kit's input, or where in the bucket it is. */
async function payloadOf(job: Job, target: LambdaTarget, place: LambdaPlace, io: Io): Promise<string> {
  const { bucket, folder, reachable } = place
  const input = JSON.stringify(await kitInput(job, target.inputs, reachable, bucket, io, { claims: true }))
  if (Buffer.byteLength(input) <= mostInlineBytes) return input
  const key = keysOf(folder).input
  await bucket.put(key, input, 'application/json', io)
  return JSON.stringify({ [kitKey]: { input: { url: await bucket.getLink(key, job.deadlineInMs, io) } } })
}
