import type { CborValue } from '../../wire/cbor.ts'
import type { WorkOutput } from '../contract.ts'
import type { Kit } from '../kit.ts'
import { spoil } from '../spoil.ts'
import type { Call } from './call.ts'

/** How functions that are none of our kits give files back: in a bucket of their own, or as bytes. */
export type Answers = 'bucket' | 'inline'

/** What the function returns for its outputs. A kit uploads the first one and returns no bytes. */
export async function returnValue(
  call: Call,
  outputs: readonly WorkOutput[],
  kit: Kit | null,
  answers: Answers,
  signal: AbortSignal,
): Promise<CborValue> {
  const isServed = kit === null && answers === 'bucket'
  const files = await spoil(call.faults, outputs, isServed)
  const [first] = files
  if (kit !== null && first !== undefined) await kit.upload(first, signal)
  if (call.faults.has('empty-output')) return emptyAs(call.faults.text('empty-output'))
  if (kit !== null) return { uploaded: true }
  call.files = files
  const values = isServed ? bucketUrls(call) : await Promise.all(files.map(async ({ body }) => await body.bytes()))
  if (values.length !== 1) return values
  return isServed ? { url: values[0] } : (values[0] ?? null)
}

function emptyAs(form: string): CborValue {
  return form === 'object' ? {} : form === 'list' ? [] : null
}

function bucketUrls({ id, origin, files }: Call): string[] {
  return files.map(
    ({ name }, index) =>
      `${origin}/bucket/${id}/${index}/${encodeURIComponent(name)}?X-Amz-Expires=604800&X-Amz-Signature=emulated`,
  )
}
