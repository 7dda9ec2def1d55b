import { createHmac } from 'node:crypto'
import { type ZodType, z } from 'zod'
import { createFailure, type Failure, type FailureCode, refuse } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import { uploadName } from '../core/upload.ts'
import type { Job } from './contract.ts'
import { parseVendorJson } from './http.ts'
import { toSentence } from './vendor-api.ts'

/** Key in a kit's input that holds what is ours: who it is, where to upload, where to say hello. */
export const kitKey = 'surefoot'

/** What stands under `kitKey`. */
export type KitPart = { readonly attempt: string; readonly upload: { readonly url: string }; readonly hello?: string }

/**
 * What a worker of our kits gets besides its input: `{ attempt, upload: { url }, hello? }`. It calls `hello` first thing, where
 * it can reach us, and PUTs its output to `upload.url`. `reachable` answers a URL as the worker can reach it, or null. Fails
 * with `no_route_for_bytes` where there is none for the upload.
 */
export function kitPart(job: Job, vendorName: string, reachable: (url: string | null) => string | null): KitPart {
  const [url, hello] = [reachable(job.uploadUrl(uploadName)), reachable(job.webhookUrl)]
  if (url !== null) return { attempt: job.marker.attemptId, upload: { url }, ...(hello === null ? {} : { hello }) }
  const message = `A kit's worker on ${vendorName} uploads its output, and has no address of ours to upload to.`
  return refuse('no_route_for_bytes', message, {
    advice:
      'Set a public base URL (https), or keep files on S3 (`files.s3`), so that the worker has a place to upload to.',
  })
}

/**
 * The part with `proof`, by which a kit behind an address that anybody reaches knows the jobs of its gateway: HMAC-SHA256 under
 * a secret that both have, in hex, of the attempt's id, the input files as they are sent, the upload's URL and the hello's, with
 * newlines between them. Our kits take one file. See `check_proof` in `kits/core/surefoot_kit/job.py`.
 */
export function withProof(part: KitPart, secret: string, files: readonly unknown[]): JsonObject {
  const proved = [part.attempt, ...files, part.upload.url, part.hello ?? ''].join('\n')
  return { ...part, proof: createHmac('sha256', secret).update(proved).digest('hex') }
}

/** The first thing that our kits send, to the address that they found in their input. */
export interface Hello {
  readonly surefoot: 'hello'
  /** The vendor's own id of the run, as the worker got it. */
  readonly id: string
}
export const helloSchema: ZodType<Hello> = z.looseObject({
  surefoot: z.literal('hello'),
  id: z.string().min(1).max(200),
})

/**
 * Codes that a worker may claim. The others of the list are about accounts, timers and ourselves: a worker's word must close no
 * account and spend no other deployment's chance.
 */
const workerCodes: ReadonlySet<string> = new Set<FailureCode>([
  ...(['input_invalid', 'input_too_large', 'model_error', 'out_of_memory', 'no_gpu', 'output_invalid'] as const),
  ...(['output_lost', 'output_too_large', 'worker_lost', 'deployment_missing'] as const),
  ...(['provider_error', 'provider_unreachable'] as const),
])

/**
 * Why a kit says that its run failed: `[surefoot:CODE] message`, wherever a vendor puts it, with Python's name or `repr` of the
 * exception around it. `words`: the vendor's text, fit to be shown. Null for anything else, so that the adapter reads on.
 */
export function failureOfKit(words: string, vendorName: string): Failure | null {
  const [, before = '', code = '', message = ''] = /^(.*?)\[surefoot:(\w{1,40})\] *(.*)$/s.exec(words) ?? []
  if (!workerCodes.has(code)) return null
  const said = /\(["']$/.test(before) ? message.replace(/["'],?\)$/, '') : message
  return createFailure(code as FailureCode, toSentence(`${vendorName}: ${said || 'the kit failed without saying why'}`))
}

/** A webhook's body as JSON; undefined where it is none, or more than `parseVendorJson` takes. */
export function parseBody(body: Uint8Array): unknown {
  try {
    return parseVendorJson(new TextDecoder().decode(body))
  } catch {
    return undefined
  }
}
