import { refuse, SurefootError } from '../core/failure.ts'
import type { Json } from '../core/json.ts'
import { tooLarge } from '../http/body.ts'
import { readParts } from '../http/multipart.ts'

/** What came with a request to make something of a photo. */
export interface ReceivedInput {
  readonly files: { readonly [field: string]: Blob | { readonly id: string } }
  /** As text, as a form has it. */
  readonly fields: { readonly [field: string]: string }
  /** As a JSON body has it. */
  readonly input: { readonly [field: string]: Json }
}

const advice =
  'Send the photo as a form (multipart/form-data), or as JSON: the id of its upload, or the photo in base64.'
/** As the gateway makes them. */
const fileId = /^[a-z2-7]{26}$/
const dataUri = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w-]+=[\w.-]+)*;base64,/i

/**
 * Reads a form or a JSON body, at most `maxBytes` of it. In JSON, a field of `fileFields` is the id of a file that the browser
 * has uploaded, or the file itself in base64, bare or as a data URI.
 */
export async function readBody(
  request: Request,
  { fileFields, maxBytes }: { readonly fileFields: readonly string[]; readonly maxBytes: number },
): Promise<ReceivedInput> {
  const type = request.headers.get('content-type') ?? ''
  if (/^application\/json\s*(;|$)/i.test(type)) return fromJson(await readWhole(request, maxBytes), fileFields)
  // Other forms carry no files; 50 MB of `a=b&` would take seconds and a gigabyte to take apart.
  if (!/^multipart\/form-data\s*;/i.test(type)) refuse('input_invalid', advice, { status: 400 })
  return await fromForm(request, fileFields, maxBytes)
}

async function readWhole({ body }: Request, maxBytes: number): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let total = 0
  try {
    for await (const chunk of body ?? []) {
      total += chunk.length
      if (total > maxBytes) tooLarge(maxBytes)
      chunks.push(chunk)
    }
  } catch (cause) {
    if (SurefootError.is(cause)) throw cause
    return refuse('input_invalid', 'The body ended before it was complete.', { cause, status: 400 })
  }
  return new Blob(chunks)
}

/** Not by `formData()`, which takes seconds and hundreds of megabytes to take a million empty parts apart. */
async function fromForm(request: Request, fileFields: readonly string[], maxBytes: number): Promise<ReceivedInput> {
  const files: { [field: string]: Blob | { readonly id: string } } = {}
  const fields: { [field: string]: string } = {}
  const texts = await readParts(request, maxBytes, {
    isFile: (_field, fileName) => fileName !== undefined,
    async onFile({ field, name, mediaType, body }) {
      const chunks: Uint8Array<ArrayBuffer>[] = []
      for await (const chunk of body) chunks.push(chunk as Uint8Array<ArrayBuffer>)
      // What browsers send where nothing was chosen has neither.
      if (chunks.length > 0 || name !== '') files[field] = new File(chunks, name, { type: mediaType })
    },
  }).catch(toInvalid)
  for (const [field, value] of texts) {
    if (!fileFields.includes(field)) {
      if (value !== '') fields[field] = value
    } else if (fileId.test(value)) files[field] = { id: value }
  }
  return { files, fields, input: {} }
}

function toInvalid(cause: unknown): never {
  if (SurefootError.is(cause)) throw cause
  return refuse('input_invalid', `The form cannot be read. ${advice}`, { cause, status: 400 })
}

async function fromJson(body: Blob, fileFields: readonly string[]): Promise<ReceivedInput> {
  const parsed = parseObject(await body.text())
  const files: { [field: string]: Blob | { readonly id: string } } = {}
  const input: { [field: string]: Json } = {}
  for (const [field, value] of Object.entries(parsed)) {
    if (fileFields.includes(field)) files[field] = toFile(field, value)
    else input[field] = value
  }
  return { files, fields: {}, input }
}

function parseObject(text: string): { readonly [field: string]: Json } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    return refuse('input_invalid', 'The body is not valid JSON.', { cause, status: 400 })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse('input_invalid', advice, { status: 400 })
  return value as { readonly [field: string]: Json }
}

function toFile(field: string, value: Json): Blob | { readonly id: string } {
  if (typeof value === 'string') {
    if (fileId.test(value)) return { id: value }
    const [prefix = '', type = ''] = dataUri.exec(value) ?? []
    const base64 = value.slice(prefix.length)
    // Decoding skips what it does not know; a text that is no file would become some bytes.
    if (base64 !== '' && /^[A-Za-z0-9+/_-]+={0,2}$/.test(base64))
      return new File([Buffer.from(base64, 'base64')], field, type === '' ? {} : { type })
  }
  return refuse('input_invalid', `${field}: is neither the id of an upload nor a file in base64.`)
}
