import { textsOf } from '../outputs.ts'

/** Folders of the vendor's own upload helper: what it answers with where no bucket is configured. */
const lostPath = /^(?:\.?\/)?(simulated_uploaded|local_upload)\/[\w./-]+$/

/** A path on the worker's own disk that a handler took for a URL, or null. */
export function lostPathOf(output: unknown): string | null {
  for (const text of textsOf(output)) if (text.length < 500 && lostPath.test(text)) return text
  return null
}
