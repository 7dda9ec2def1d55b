import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Busboy } from '@fastify/busboy'
import { fileLimit, jsonLimit, tooLarge } from './body.ts'
import type { Context } from './context.ts'
import { refuseHttp } from './errors.ts'
import { readLength } from './headers.ts'

/** A file part while it arrives. */
export interface FilePart {
  readonly field: string
  readonly name: string
  readonly mediaType: string
  readonly body: AsyncIterable<Uint8Array>
}

export interface MultipartOptions {
  /** Which parts are files; all others are read as text. */
  isFile(field: string, fileName: string | undefined): boolean
  /** Consumes one file as it arrives. When it throws, the rest of the body is not read. */
  onFile(part: FilePart): Promise<void>
}

export function isMultipart(c: Context): boolean {
  return /^multipart\/form-data\s*;/i.test(c.req.header('content-type') ?? '')
}

/**
 * Reads a `multipart/form-data` body part by part; files go through `onFile` as streams and are never whole in memory.
 * Answers the text parts. Fails with `invalid_multipart` (400) or `input_too_large` (413).
 */
export async function readMultipart(c: Context, options: MultipartOptions): Promise<Map<string, string>> {
  const maxBytes = fileLimit + jsonLimit
  if ((readLength(c) ?? 0) > maxBytes) tooLarge(maxBytes)
  return await readParts(c.req.raw, maxBytes, options)
}

/** The same of any request, of whose body at most `maxBytes` are read. */
export async function readParts(
  request: Request,
  maxBytes: number,
  options: MultipartOptions,
): Promise<Map<string, string>> {
  const fields = new Map<string, string>()
  const files: Promise<void>[] = []
  const open = new Set<Readable>()
  const stop = new AbortController()
  let refusal: unknown

  const parser = createParser(request, options)
  const refuseWith = (error: unknown) => {
    refusal ??= error
    stop.abort()
  }
  let textLength = 0
  parser.on('field', (name, value, _nameTruncated, truncated) => {
    textLength += value.length
    // Text is held in memory: all of it together may be what a JSON body may be.
    if (truncated || textLength > jsonLimit) refuseWith(new PartsExceeded())
    fields.set(name, value)
  })
  // An error event that nobody listens to ends the process; errors are told by the pipeline and by the readers.
  parser.on('error', () => undefined)
  parser.on('file', (field, body, name, _encoding, mediaType) => {
    body.on('error', () => undefined)
    open.add(body)
    body.on('close', () => open.delete(body))
    files.push(options.onFile({ field, name: name ?? field, mediaType, body }).catch(refuseWith))
  })
  for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
    parser.on(limit, () => refuseWith(new PartsExceeded()))
  }

  try {
    await pipeline(limited(request, maxBytes), parser, { signal: stop.signal })
  } catch (error) {
    refuseWith(error)
  }
  // Busboy does not end a part whose body was cut, and whoever reads it would wait for ever.
  if (refusal !== undefined) for (const body of open) body.destroy(new Error('The request body ended early.'))
  await Promise.all(files)
  if (refusal instanceof PartsExceeded) refuseHttp('invalid_multipart', 'The form has too many or too large parts.')
  if (refusal instanceof Error && /terminated early|Unexpected end|Malformed/i.test(refusal.message)) {
    refuseHttp('invalid_multipart', 'The multipart body ended before its closing boundary.')
  }
  if (refusal !== undefined) throw refusal
  return fields
}

/** Marks that one of the limits on parts was met. */
class PartsExceeded extends Error {}

function createParser({ headers }: Request, { isFile }: MultipartOptions) {
  try {
    return new Busboy({
      headers: { 'content-type': headers.get('content-type') ?? '' },
      isPartAFile: (field, _mediaType, fileName) => isFile(field ?? '', fileName),
      limits: { fieldSize: jsonLimit, fields: 100, files: 16, parts: 116, headerPairs: 32 },
    })
  } catch {
    return refuseHttp('invalid_multipart', 'The multipart header has no boundary.')
  }
}

async function* limited({ body }: Request, maxBytes: number): AsyncGenerator<Uint8Array> {
  let total = 0
  for await (const chunk of body ?? []) {
    total += chunk.length
    if (total > maxBytes) tooLarge(maxBytes)
    yield chunk
  }
}
