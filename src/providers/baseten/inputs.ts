import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Job } from '../contract.ts'
import { dataUriBytes, modelInput, toDataUri } from '../job-input.ts'
import { kitKey, kitPart } from '../kit.ts'
import type { BasetenTarget } from './options.ts'

/** Largest request in bytes: 256 KiB in the queue by default, 100 MB on a held connection. Source: docs.baseten.co/inference/errors. */
export const maxRequestBytes: { readonly async: number; readonly held: number } = { async: 262_144, held: 100_000_000 }

/** A URL of ours as a replica can reach it, or null. */
export type Reachable = (url: string | null) => string | null

/**
 * The model's input with its files: by our signed URL, else inline. Kits get `surefoot` besides: where to say hello and
 * where to upload. Refuses with `no_route_for_bytes` or `input_too_large` before anything is sent or read.
 */
export async function buildInput(
  job: Job,
  target: BasetenTarget,
  reachable: Reachable,
  maxBytes: number,
): Promise<JsonObject> {
  const kit = target.kit ? { [kitKey]: kitPart(job, 'Baseten', reachable) } : {}
  const inline = Object.values(job.files).filter(file => reachable(file.url) === null)
  checkSize(
    inline.reduce((sum, file) => sum + dataUriBytes(file), 0),
    job,
    reachable,
    maxBytes,
  )
  const input = await modelInput(job, target.inputs, file => reachable(file.url) ?? toDataUri(file))
  return { ...input, ...kit }
}

/** Refuses what the vendor would answer with 413. */
export function checkSize(bytes: number, job: Job, reachable: Reachable, maxBytes: number): void {
  if (bytes <= maxBytes) return
  const size = `Baseten takes requests up to ${maxBytes} bytes; with its input this one has ${bytes}.`
  if (Object.values(job.files).some(file => reachable(file.url) === null))
    refuse('no_route_for_bytes', `${size} Its files would have to travel inside it.`, {
      advice: 'Set a public base URL (https), so that files can travel by signed links.',
    })
  refuse('input_too_large', size)
}
