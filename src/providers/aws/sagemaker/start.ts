import type { InvokeEndpointAsyncCommandInput } from '@aws-sdk/client-sagemaker-runtime'
import type { JsonObject } from '../../../core/json.ts'
import type { Io, Job, StartAnswer } from '../../contract.ts'
import type { Answer } from '../../http.ts'
import { type Call, submitOnce, type VendorApi } from '../../vendor-api.ts'
import type { Bucket } from '../bucket.ts'
import { inputWith, keysOf, kitInput, placeFile } from '../kit.ts'
import type { SagemakerTarget } from './options.ts'
import { type Handle, invokedSchema, uriSchema } from './wire.ts'

/** The vendor's bounds in seconds. Source: the SDK's text on `InvokeEndpointAsync`, and the guide. */
const longestQueue = 21_600
const longestRun = 3_600

/** What a start needs beside its job. */
export interface SagemakerPlace {
  readonly bucket: Bucket
  /** Begins the keys of the attempt's objects. */
  readonly folder: string
  /** A URL of ours as a container can reach it, or null. */
  reachable(url: string | null): string | null
}

/**
 * Puts the input into the bucket and asks for one inference. The inference's id is a label: the same twice is two runs, so
 * there is one call, and a kit's claim lets only one of two deliveries work.
 */
export async function start(
  job: Job,
  target: SagemakerTarget,
  place: SagemakerPlace,
  api: VendorApi,
  invoke: (input: InvokeEndpointAsyncCommandInput, io: Io) => Promise<Call>,
  io: Io,
): Promise<StartAnswer> {
  const submission = {
    async build() {
      const { input } = keysOf(place.folder)
      await place.bucket.put(input, JSON.stringify(await inputOf(job, target, place, io)), 'application/json', io)
      return await invoke(
        {
          EndpointName: target.endpoint,
          InputLocation: place.bucket.uri(input),
          ContentType: 'application/json',
          InferenceId: job.marker.attemptId,
          RequestTTLSeconds: seconds(job.deadlineInMs, longestQueue),
          InvocationTimeoutSeconds: seconds(job.runLimitMs, longestRun),
        },
        io,
      )
    },
    accepted(answer: Answer): StartAnswer | null {
      if (!invokedSchema.safeParse(answer.json).success) return null
      const output = uriSchema.safeParse(answer.headers.get('x-amzn-sagemaker-outputlocation')).data
      const failure = uriSchema.safeParse(answer.headers.get('x-amzn-sagemaker-failurelocation')).data
      if (output === undefined && !target.kit) return null
      const handle: Handle = {
        ...(target.kit ? { folder: place.folder } : {}),
        ...(output === undefined ? {} : { output }),
        ...(failure === undefined ? {} : { failure }),
      }
      return { kind: 'accepted', handle: { ...handle } }
    },
  }
  return await submitOnce(api, submission, io)
}

async function inputOf(job: Job, target: SagemakerTarget, place: SagemakerPlace, io: Io): Promise<JsonObject> {
  const { bucket, folder, reachable } = place
  if (target.kit) return await kitInput(job, target.inputs, reachable, bucket, io, { claims: true })
  return await inputWith(job, target.inputs, (file, field) =>
    placeFile(file, field, folder, reachable, bucket, job.deadlineInMs, io),
  )
}

function seconds(ms: number, most: number): number {
  return Math.min(Math.max(1, Math.ceil(ms / 1000)), most)
}
