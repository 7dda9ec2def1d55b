import type { OutputReference } from '../../core/prediction.ts'

/** Folders of the vendor's own upload helper: what it answers with where no bucket is configured. */
const lostPath = /^(?:\.?\/)?(simulated_uploaded|local_upload)\/[\w./-]+$/

/**
 * Every file in a handler's answer in the order in which it appears, however deep: URLs, data URIs, bare base64. An answer
 * without files (text, numbers) is itself the result and comes as one data URI. Nothing at all: empty, the result is lost.
 */
export function outputsOf(output: unknown): OutputReference[] {
  const files: OutputReference[] = []
  for (const text of textsOf(output)) {
    if (/^https?:\/\//i.test(text) && URL.canParse(text)) files.push({ kind: 'url', url: text })
    else if (/^data:[^,]*,/i.test(text)) files.push({ kind: 'data', uri: text })
    else if (isBase64(text)) files.push({ kind: 'data', uri: `data:application/octet-stream;base64,${text}` })
  }
  if (files.length > 0 || isEmpty(output)) return files
  const [mediaType, text] =
    typeof output === 'string' ? ['text/plain', output] : ['application/json', JSON.stringify(output)]
  return [{ kind: 'data', uri: `data:${mediaType};base64,${Buffer.from(text).toString('base64')}` }]
}

/** A path on the worker's own disk that a handler took for a URL, or null. */
export function lostPathOf(output: unknown): string | null {
  for (const text of textsOf(output)) if (text.length < 500 && lostPath.test(text)) return text
  return null
}

function* textsOf(value: unknown, depth = 0): Generator<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null && depth < 8)
    for (const each of Object.values(value)) yield* textsOf(each, depth + 1)
}

/** Long enough that neither an id nor a checksum nor a word looks like it. */
function isBase64(text: string): boolean {
  return text.length >= 256 && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text)
}

function isEmpty(output: unknown): boolean {
  if (output === undefined || output === null || output === '') return true
  return typeof output === 'object' && Object.keys(output).length === 0
}
