import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Job } from '../contract.ts'
import { dataUriBytes, modelInput, toDataUri } from '../job-input.ts'
import { kitKey, kitPart } from '../kit.ts'
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
  const kit = target.kit ? { [kitKey]: kitPart(job, 'RunPod', reachable) } : {}
  const inline = Object.values(job.files).filter(file => reachable(file.url) === null)
  checkSize(
    inline.reduce((sum, file) => sum + dataUriBytes(file), 0),
    job,
    reachable,
  )
  const input = await modelInput(job, target.inputs, file => reachable(file.url) ?? toDataUri(file))
  return { ...input, ...kit }
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
