import { refuse, SurefootError } from '../core/failure.ts'
import type { Context } from './context.ts'
import { refuseHttp } from './errors.ts'
import { readLength } from './headers.ts'
import { parseJson } from './json.ts'

/** Most bytes of a JSON body: data URIs of a few photos fit. */
export const jsonLimit = 20_000_000
/** Most bytes of one uploaded file; Replicate's clients upload up to 100 MB. */
export const fileLimit = 100_000_000

/** Reads a whole body of at most `maxBytes`; more ends as `input_too_large` (413) before it is in memory. */
export async function readBytes(c: Context, maxBytes: number): Promise<Uint8Array> {
  if ((readLength(c) ?? 0) > maxBytes) tooLarge(maxBytes)
  const chunks: Uint8Array[] = []
  let total = 0
  for await (const chunk of c.req.raw.body ?? []) {
    total += chunk.length
    if (total > maxBytes) tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, total)
}

/**
 * Reads a JSON body. Only `application/json` is taken: pages of other sites can send text and forms without asking,
 * JSON they cannot.
 */
export async function readJson(c: Context): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(c.req.header('content-type') ?? '')) {
    refuseHttp('unsupported_media_type', 'Send JSON with the header "Content-Type: application/json".')
  }
  const bytes = await readBytes(c, jsonLimit)
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    if (SurefootError.is(error)) throw error
    refuseHttp('invalid_json', 'The body is not valid JSON in UTF-8.')
  }
}

/** Ends as `input_too_large`, naming the limit. */
export function tooLarge(maxBytes: number): never {
  refuse('input_too_large', `The body is larger than ${maxBytes.toLocaleString('en')} bytes.`)
}
