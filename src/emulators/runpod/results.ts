import type { WorkOutput } from '../contract.ts'
import { toDataUri } from '../spoil.ts'
import type { Job } from './job.ts'

/** How handlers that are none of ours give files back: in a bucket of their own, or as base64 in the answer. */
export type Answers = 'bucket' | 'inline'

/** Largest result, as JSON. What is larger never arrives, and the job is COMPLETED all the same. */
const maxResultBytes = { run: 10_000_000, runsync: 20_000_000 } as const

/** The handler's answer for its outputs, as `/status` will show it; undefined where it shows none. */
export async function resultOf(job: Job, outputs: readonly WorkOutput[], answers: Answers): Promise<unknown> {
  if (job.faults.has('output-path'))
    return { url: `simulated_uploaded/${job.id.slice(0, 8)}.${outputs[0]?.name.split('.').at(-1)}` }
  const files = answers === 'bucket' ? bucketUrls(job, outputs) : await Promise.all(outputs.map(toDataUri))
  const key = answers === 'bucket' ? 'url' : 'file'
  return files.length === 1 ? { [key]: files[0] } : { [`${key}s`]: files }
}

/** What becomes of a handler's answer on its way: faults, and the limit that cuts off without a word. */
export function arrived(job: Job, result: unknown): unknown {
  if (job.faults.has('empty-output')) return { object: {}, list: [] }[job.faults.text('empty-output')]
  const bytes = Buffer.byteLength(JSON.stringify(result))
  return bytes > maxResultBytes[job.sync ? 'runsync' : 'run'] ? undefined : result
}

function bucketUrls(job: Job, outputs: readonly WorkOutput[]): string[] {
  return outputs.map(
    ({ name }, index) =>
      `${job.origin}/bucket/${job.id}/${index}/${encodeURIComponent(name)}?X-Amz-Expires=604800&X-Amz-Signature=emulated`,
  )
}
