import { createHash } from 'node:crypto'
import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Io, Job, JobFile } from '../contract.ts'
import { modelInput, toDataUri } from '../job-input.ts'
import type { VendorApi } from '../vendor-api.ts'
import type { ReplicateTarget } from './options.ts'
import { fileSchema } from './wire.ts'

/** The vendor's advice: data URIs for files up to this size, URLs for larger ones. */
export const maxDataUriBytes: number = 256_000

/** The vendor's clients upload at most this much per file. */
export const maxUploadBytes: number = 100_000_000

/** Key in an uploaded file's metadata, and in a kit's input, that holds the attempt's id. */
export const markerKey = 'surefoot_attempt'

export interface InputOptions {
  readonly preferUpload: boolean
  /** Whether the run itself carries our webhook URL; then nothing else has to make it recognisable. */
  readonly hasWebhook: boolean
}

/**
 * The model's input with its files: small ones inline, others by our signed URL, else uploaded. Without a webhook, files
 * are always uploaded: the upload's metadata is then the one place where the attempt's id travels with the run.
 */
export async function buildInput(
  job: Job,
  target: ReplicateTarget,
  options: InputOptions,
  api: VendorApi,
  io: Io,
): Promise<JsonObject> {
  const input = await modelInput(job, target.inputs, file => place(file, job, options, api, io))
  if (target.kit) input[markerKey] = job.marker.attemptId
  return input
}

async function place(file: JobFile, job: Job, options: InputOptions, api: VendorApi, io: Io): Promise<string> {
  if (options.hasWebhook && file.bytes <= maxDataUriBytes) return toDataUri(file)
  if (options.hasWebhook && file.url?.startsWith('https:') && !options.preferUpload) return file.url
  return upload(file, job.marker.attemptId, api, io)
}

/**
 * Sends a file to the Files API as a stream and gives the URL for the model. Throws `SurefootError`: nothing has been
 * started and nothing billed by then. Source: the multipart form that the vendor's clients send.
 */
async function upload(file: JobFile, attemptId: string, api: VendorApi, io: Io): Promise<string> {
  if (file.bytes > maxUploadBytes)
    refuse('input_too_large', `Replicate takes files up to ${maxUploadBytes} bytes; "${file.name}" has ${file.bytes}.`)
  const boundary = `surefoot-${createHash('sha256').update(`${attemptId} ${file.sha256}`).digest('hex').slice(0, 32)}`
  const body = multipart(boundary, file, { [markerKey]: attemptId })
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
  const answer = await api.ask({ method: 'POST', path: '/files', headers, body }, io)
  return api.read(answer, fileSchema).urls.get
}

function multipart(boundary: string, file: JobFile, metadata: JsonObject): ReadableStream<Uint8Array> {
  const fileName = file.name.replace(/[^\w.-]/g, '_').slice(-100) || 'file'
  const head =
    `--${boundary}\r\nContent-Disposition: form-data; name="metadata"\r\nContent-Type: application/json\r\n\r\n` +
    `${JSON.stringify(metadata)}\r\n` +
    `--${boundary}\r\nContent-Disposition: form-data; name="content"; filename="${fileName}"\r\n` +
    `Content-Type: ${file.mediaType}\r\n\r\n`
  async function* parts(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(head)
    yield* await file.open()
    yield Buffer.from(`\r\n--${boundary}--\r\n`)
  }
  return ReadableStream.from(parts())
}
