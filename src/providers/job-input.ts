import type { Json } from '../core/json.ts'
import type { Job, JobFile } from './contract.ts'

/** The bytes of a small file inside JSON. */
export async function toDataUri(file: JobFile): Promise<string> {
  const bytes = await new Response(await file.open()).bytes()
  return `data:${file.mediaType};base64,${Buffer.from(bytes).toString('base64')}`
}

/** How long a file is as a data URI: in base64 four characters carry three bytes. */
export function dataUriBytes(file: JobFile): number {
  return Math.ceil(file.bytes / 3) * 4 + file.mediaType.length + 13
}

/**
 * The caller's input under the model's own names (`names`: ours -> theirs; others keep theirs), each file as `place` puts it.
 * A kit's own keys are the adapter's to add.
 */
export async function modelInput(
  { input, files }: Job,
  names: { readonly [field: string]: string } | undefined,
  place: (file: JobFile) => Promise<string> | string,
): Promise<{ [field: string]: Json | undefined }> {
  const placed: { [field: string]: Json | undefined } = {}
  for (const [field, value] of Object.entries(input)) placed[names?.[field] ?? field] = value
  for (const [field, file] of Object.entries(files)) placed[names?.[field] ?? field] = await place(file)
  return placed
}
