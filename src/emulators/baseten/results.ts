import type { WorkOutput } from '../contract.ts'
import { toDataUri } from '../spoil.ts'
import type { Run } from './run.ts'

/** How models that are none of ours give files back: in a bucket of their own, or as base64 in their answer. */
export type Answers = 'bucket' | 'inline'

/** The model's answer for its outputs. */
export async function resultOf(run: Run, outputs: readonly WorkOutput[], answers: Answers): Promise<unknown> {
  const files = answers === 'bucket' ? bucketUrls(run, outputs) : await Promise.all(outputs.map(toDataUri))
  const key = answers === 'bucket' ? 'url' : 'file'
  return files.length === 1 ? { [key]: files[0] } : { [`${key}s`]: files }
}

/** What becomes of a model's answer where its faults say that it is nothing. */
export function arrived({ faults }: Run, result: unknown): unknown {
  if (!faults.has('empty-output')) return result
  return { object: {}, list: [] }[faults.text('empty-output')] ?? null
}

function bucketUrls(run: Run, outputs: readonly WorkOutput[]): string[] {
  return outputs.map(({ name }, index) => `${run.origin}/bucket/${run.id}/${index}/${encodeURIComponent(name)}`)
}
