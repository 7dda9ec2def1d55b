import { refuse } from '../../core/failure.ts'
import type { Json } from '../../core/json.ts'
import type { CborValue } from '../../wire/cbor.ts'
import type { Job, JobFile } from '../contract.ts'
import { dataUriBytes, modelInput, toDataUri } from '../job-input.ts'
import { kitKey, kitPart } from '../kit.ts'
import type { CommonTarget } from '../option-schemas.ts'
import { maxInlineBytes } from './bytes.ts'

/** The function's input; a kit gets `surefoot` besides. */
export interface InputOptions {
  readonly target: CommonTarget
  /** A URL of ours as the container can reach it, or null. */
  readonly reachable: (url: string | null) => string | null
}

/**
 * The input with its files by our signed URL, else inline as data URIs. Refuses with `no_route_for_bytes` what would
 * become larger than we hold in memory, before anything is read.
 */
export async function buildInput(
  job: Job,
  { target, reachable }: InputOptions,
): Promise<{ [field: string]: Json | undefined }> {
  const kit = target.kit ? { [kitKey]: kitPart(job, 'Modal', reachable) } : {}
  checkInline(
    Object.values(job.files).filter(file => reachable(file.url) === null),
    dataUriBytes,
  )
  const input = await modelInput(job, target.inputs, file => reachable(file.url) ?? toDataUri(file))
  return { ...input, ...kit }
}

/** The same with every file as bytes, which CBOR can carry. */
export async function buildInputOfBytes(
  job: Job,
  options: InputOptions,
): Promise<{ [field: string]: CborValue | undefined }> {
  checkInline(Object.values(job.files), file => file.bytes)
  const input: { [field: string]: CborValue | undefined } = await buildInput({ ...job, files: {} }, options)
  for (const [field, file] of Object.entries(job.files))
    input[options.target.inputs?.[field] ?? field] = await new Response(await file.open()).bytes()
  return input
}

function checkInline(files: readonly JobFile[], bytesOf: (file: JobFile) => number): void {
  const bytes = files.reduce((sum, file) => sum + bytesOf(file), 0)
  if (bytes <= maxInlineBytes) return
  refuse(
    'no_route_for_bytes',
    `The files would have to travel inside the call, and have ${bytes} bytes there; ${maxInlineBytes} are possible.`,
    {
      advice: 'Set a public base URL, so that files can travel by signed links.',
    },
  )
}
