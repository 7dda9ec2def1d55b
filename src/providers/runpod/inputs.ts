import { refuse } from '../../core/failure.ts'
import type { Json, JsonObject } from '../../core/json.ts'
import { uploadName } from '../../core/upload.ts'
import type { Job, JobFile } from '../contract.ts'
import type { RunpodTarget } from './options.ts'

/** The vendor takes requests up to 10 MB on `/run`; whether MB or MiB is not said. */
export const maxRequestBytes = 10_000_000

/**
 * The handler's input with its files: by our signed URL, else inline. Kits get `surefoot` besides: where to say hello and
 * where to upload. Refuses with `no_route_for_bytes` or `input_too_large` before anything is sent or read.
 */
export async function buildInput(
  job: Job,
  target: RunpodTarget,
  reachable: (url: string | null) => string | null,
): Promise<JsonObject> {
  const input: { [field: string]: Json | undefined } = {}
  const name = (field: string) => target.inputs?.[field] ?? field
  for (const [field, value] of Object.entries(job.input)) input[name(field)] = value
  if (target.kit) input.surefoot = kitPart(job, reachable)

  const inline = Object.values(job.files).filter(file => reachable(file.url) === null)
  // In base64 four characters carry three bytes.
  checkSize(
    inline.reduce((sum, file) => sum + Math.ceil(file.bytes / 3) * 4, 0),
    job,
    reachable,
  )
  for (const [field, file] of Object.entries(job.files))
    input[name(field)] = reachable(file.url) ?? (await dataUri(file))
  return input
}

/** Refuses a request that the vendor would refuse; it answers oversized ones in ways that leave the outcome open. */
export function checkSize(bytes: number, job: Job, reachable: (url: string | null) => string | null): void {
  if (bytes <= maxRequestBytes) return
  const size = `RunPod takes requests up to ${maxRequestBytes} bytes; with its input this one has ${bytes}.`
  if (Object.values(job.files).some(file => reachable(file.url) === null))
    refuse('no_route_for_bytes', `${size} Its files would have to travel inside it.`, {
      advice: 'Set a public base URL, so that files can travel by signed links.',
    })
  refuse('input_too_large', size)
}

function kitPart(job: Job, reachable: (url: string | null) => string | null): JsonObject {
  const [url, hello] = [reachable(job.uploadUrl(uploadName)), reachable(job.webhookUrl)]
  if (url === null || hello === null)
    refuse(
      'no_route_for_bytes',
      "A kit's worker on RunPod uploads its output, and has no address of ours to upload to.",
      {
        advice: 'Set a public base URL (https), so that the worker can reach Surefoot.',
      },
    )
  return { attempt: job.marker.attemptId, upload: { url }, hello }
}

async function dataUri(file: JobFile): Promise<string> {
  const bytes = await new Response(await file.open()).bytes()
  return `data:${file.mediaType};base64,${Buffer.from(bytes).toString('base64')}`
}
