import { refuse } from '../../core/failure.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Job } from '../contract.ts'
import { dataUriBytes, modelInput, toDataUri } from '../job-input.ts'
import { kitKey, kitPart, withProof } from '../kit.ts'
import type { CogTarget } from './options.ts'

/** coglet takes requests up to 100 MiB; 0.16 has no limit. Source: `routes.rs`. */
const maxRequestBytes = 100 * 1024 * 1024

/**
 * The model's input with its files: by our signed URL, else inline. Kits get `surefoot` besides, with a proof where
 * they share a secret with us. Refuses with
 * `no_route_for_bytes` before anything is sent or read.
 */
export async function buildInput(
  job: Job,
  target: CogTarget,
  reachable: (url: string | null) => string | null,
  server: string,
  kitSecret?: string,
): Promise<JsonObject> {
  const kit = target.kit ? kitPart(job, server, reachable) : null
  const inline = Object.values(job.files).filter(file => reachable(file.url) === null)
  const bytes = inline.reduce((sum, file) => sum + dataUriBytes(file), 0)
  if (bytes > maxRequestBytes)
    refuse(
      'no_route_for_bytes',
      `${server} takes requests up to ${maxRequestBytes} bytes; these files make ${bytes}.`,
      {
        advice: 'Set a public base URL, so that files can travel by signed links.',
      },
    )
  const input = await modelInput(job, target.inputs, file => reachable(file.url) ?? toDataUri(file))
  if (kit === null) return input
  const files = Object.keys(job.files).map(field => input[target.inputs?.[field] ?? field])
  return { ...input, [kitKey]: kitSecret === undefined ? kit : withProof(kit, kitSecret, files) }
}
