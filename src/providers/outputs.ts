import type { OutputReference } from '../core/prediction.ts'
import { isKept } from '../core/upload.ts'

/**
 * Every file in a model's answer in the order in which it appears, however deep: URLs, data URIs and, where `bareBase64`
 * says so, base64 without a name; also those that were kept as they came. An answer without files (text, numbers) is itself the result and comes as one data URI.
 * Nothing at all: empty, the result is lost.
 */
export function outputsOf(answer: unknown, { bareBase64 }: { readonly bareBase64: boolean }): OutputReference[] {
  const files: OutputReference[] = []
  for (const text of textsOf(answer)) {
    if (isKept(text)) files.push({ kind: 'stored', key: text })
    else if (/^https?:\/\//i.test(text) && URL.canParse(text)) files.push({ kind: 'url', url: text })
    else if (/^data:[^,]*,/i.test(text)) files.push({ kind: 'data', uri: text })
    else if (bareBase64 && isBase64(text))
      files.push({ kind: 'data', uri: `data:application/octet-stream;base64,${text}` })
  }
  if (files.length > 0 || isEmpty(answer)) return files
  const [mediaType, text] =
    typeof answer === 'string' ? ['text/plain', answer] : ['application/json', JSON.stringify(answer)]
  return [{ kind: 'data', uri: `data:${mediaType};base64,${Buffer.from(text).toString('base64')}` }]
}

/** Every text inside a JSON value, down to eight levels. */
export function* textsOf(value: unknown, depth = 0): Generator<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null && depth < 8)
    for (const each of Object.values(value)) yield* textsOf(each, depth + 1)
}

/** Long enough that neither an id nor a checksum nor a word looks like it. */
function isBase64(text: string): boolean {
  return text.length >= 256 && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text)
}

function isEmpty(answer: unknown): boolean {
  if (answer === undefined || answer === null || answer === '') return true
  return typeof answer === 'object' && Object.keys(answer).length === 0
}
