import { z } from 'zod'
import { createFailure, type Failure, type FailureCode, refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import { uploadKey, uploadName } from '../../core/upload.ts'
import type { Heard, HeardRequest, Io, Job, JobFile, Observation } from '../contract.ts'
import { vendorWords } from '../http.ts'
import { modelInput } from '../job-input.ts'
import { failureOfKit, helloSchema, kitKey, parseBody } from '../kit.ts'
import { toSentence } from '../vendor-api.ts'
import type { Bucket } from './bucket.ts'

/** Links live a little longer than the prediction: its last upload may come late. */
const linkAllowanceMs = 10 * 60_000
/** A result's link: collected within minutes. */
const outputLinkMs = 60 * 60_000

/** Where an attempt's output goes: into our own store, or into the bucket where there is one. */
export interface Place {
  /** Key in our store to which the kit uploads. */
  readonly stored?: string
  /** Begins the keys of the attempt's objects in the bucket; ends with a slash. */
  readonly folder?: string
}

/** The rule is the bucket alone, so that a run that is found again needs to remember nothing. */
export function placeOf(attemptId: string, bucket: Bucket): { readonly folder: string }
export function placeOf(attemptId: string, bucket: Bucket | null): Place
export function placeOf(attemptId: string, bucket: Bucket | null): Place {
  return bucket === null ? { stored: uploadKey(attemptId) } : { folder: `${bucket.prefix}${attemptId}/` }
}

/** Keys of an attempt's objects. */
export function keysOf(folder: string): {
  readonly input: string
  readonly output: string
  readonly state: string
  readonly claim: string
} {
  return {
    input: `${folder}input.json`,
    output: `${folder}output`,
    state: `${folder}state.json`,
    claim: `${folder}claim`,
  }
}

/**
 * The whole input of a kit on AWS: the model's fields with files as links, and `surefoot { attempt, upload: { url }, hello?,
 * state?: { url }, claim?: { url } }`. Where there is a bucket, files go through it. `claims`: the vendor may
 * deliver twice. Fails with `no_route_for_bytes` where there is neither a public base URL nor a bucket.
 */
export async function kitInput(
  job: Job,
  names: { readonly [field: string]: string } | undefined,
  reachable: (url: string | null) => string | null,
  bucket: Bucket | null,
  io: Io,
  { claims }: { readonly claims: boolean },
): Promise<JsonObject> {
  const { folder } = placeOf(job.marker.attemptId, bucket)
  const linkMs = job.deadlineInMs + linkAllowanceMs
  const part = async (): Promise<JsonObject> => {
    const hello = reachable(job.webhookUrl)
    const attempt = { attempt: job.marker.attemptId, ...(hello === null ? {} : { hello }) }
    if (bucket === null || folder === undefined) {
      const url = reachable(job.uploadUrl(uploadName))
      return url === null || hello === null ? refuseBytes('its output') : { ...attempt, upload: { url } }
    }
    const { output, state, claim } = keysOf(folder)
    return {
      ...attempt,
      upload: { url: await bucket.putLink(output, linkMs, io) },
      state: { url: await bucket.putLink(state, linkMs, io) },
      ...(claims ? { claim: { url: await bucket.putLink(claim, linkMs, io, { once: true }) } } : {}),
    }
  }
  const place = (file: JobFile, field: string) => placeFile(file, field, folder, reachable, bucket, linkMs, io)
  const surefoot = await part()
  return { ...(await inputWith(job, names, place)), [kitKey]: surefoot }
}

/** `modelInput` with each file's field. */
export async function inputWith(
  job: Job,
  names: { readonly [field: string]: string } | undefined,
  place: (file: JobFile, field: string) => Promise<string>,
): Promise<JsonObject> {
  const fields = new Map(Object.entries(job.files).map(([field, file]) => [file, field]))
  return await modelInput(job, names, file => place(file, fields.get(file) ?? 'file'))
}

/** A link to an input file: to a copy in the bucket where there is one, so that runs need no gateway, else ours. */
export async function placeFile(
  file: JobFile,
  field: string,
  folder: string | undefined,
  reachable: (url: string | null) => string | null,
  bucket: Bucket | null,
  linkMs: number,
  io: Io,
): Promise<string> {
  if (bucket === null || folder === undefined) return reachable(file.url) ?? refuseBytes(`the file "${field}"`)
  const key = `${folder}files/${encodeURIComponent(field)}`
  await bucket.putFile(key, file, io)
  return await bucket.getLink(key, linkMs, io)
}

function refuseBytes(what: string): never {
  return refuse('no_route_for_bytes', `There is no way for ${what} between a worker on AWS and Surefoot.`, {
    advice: 'Name a bucket in the provider, or set a public base URL (https), so that bytes can travel.',
  })
}

/** What a kit writes about itself into the bucket, over and over. */
export type KitState =
  | { readonly state: 'running'; readonly stage?: string; readonly fraction?: number }
  | { readonly state: 'done'; readonly runMs?: number }
  | { readonly state: 'failed'; readonly error: string; readonly runMs?: number }
  /** Written by us: it was cancelled before it began. */
  | { readonly state: 'canceled' }

const milliseconds = z
  .number()
  .nonnegative()
  .max(366 * 24 * 3_600_000)
  .optional()
  .catch(undefined)
const stateSchema: z.ZodType<KitState> = z.discriminatedUnion('state', [
  z.looseObject({
    state: z.literal('running'),
    stage: z.string().max(200).optional().catch(undefined),
    fraction: z.number().min(0).max(1).optional().catch(undefined),
  }),
  z.looseObject({ state: z.literal('done'), runMs: milliseconds }),
  z.looseObject({ state: z.literal('failed'), error: z.string(), runMs: milliseconds }),
  z.looseObject({ state: z.literal('canceled') }),
])

/** A kit's last report; null while there is none. Fails with `provider_error` for what is none. */
export async function readState(folder: string, bucket: Bucket, io: Io): Promise<KitState | null> {
  const text = await bucket.text(keysOf(folder).state, io)
  if (text === null) return null
  const report = stateSchema.safeParse(parseBody(new TextEncoder().encode(text)))
  return report.success ? report.data : refuse('provider_error', 'What lies where a kit reports is no report.')
}

/**
 * A kit's hello, about the run that `handle` names; the secret is in the URL. Fails with `provider_error` (422) for anything
 * else: AWS itself calls nobody.
 */
export function hearHello({ body }: HeardRequest, handle: JsonObject): Heard {
  const hello = helloSchema.safeParse(parseBody(body))
  if (!hello.success) return refuse('provider_error', 'A call to a webhook holds no hello.', { status: 422 })
  return { deliveryId: `${hello.data.id} hello`, handle, observation: { status: 'running', word: 'hello' } }
}

/** Where the output of a place is. One that the kit says it put and that is not there is lost. */
export async function outputsAt(
  { stored, folder }: Place,
  bucket: Bucket | null,
  io: Io,
): Promise<NonNullable<Observation['outputs']>> {
  if (stored !== undefined) return [{ kind: 'stored', key: stored }]
  if (folder === undefined || bucket === null) return []
  return await linkTo(keysOf(folder).output, bucket, io)
}

/** A link to an object as a run's output; nothing where there is none. */
export async function linkTo(key: string, bucket: Bucket, io: Io): Promise<NonNullable<Observation['outputs']>> {
  return (await bucket.has(key, io)) ? [{ kind: 'url', url: await bucket.getLink(key, outputLinkMs, io) }] : []
}

/** What a report says of progress. */
export function progressOf(state: KitState | null): Observation['progress'] {
  if (state?.state !== 'running') return null
  return { stage: state.stage ?? null, fraction: state.fraction ?? null }
}

/** Patterns over a kit's or a container's own words, first match wins. */
const causes: readonly (readonly [RegExp, FailureCode])[] = [
  [/out of memory|OutOfMemory|\bMemoryError\b|CUBLAS_STATUS_ALLOC_FAILED/i, 'out_of_memory'],
  [/no CUDA GPUs are available|Found no NVIDIA driver/i, 'no_gpu'],
  // A CUDA context that is broken stays broken: the worker is lost, not the model wrong.
  [/illegal memory access|unspecified launch failure/i, 'worker_lost'],
  [/timed out after|execution timeout/i, 'run_timeout'],
  [/could not upload|\bPutObject\b/i, 'output_lost'],
]

/** Why a worker says it failed. */
export function failureOfWords(error: string): Failure {
  const text = vendorWords(error)
  const told = failureOfKit(text, 'AWS')
  if (told !== null) return told
  const code = causes.find(([pattern]) => pattern.test(text))?.[1] ?? 'model_error'
  return createFailure(
    code,
    text === '' ? 'The worker failed without saying why.' : toSentence(`The worker failed: ${text}`),
  )
}
