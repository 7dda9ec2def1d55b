import { createFailure, type Failure, type FailureCode } from '../../core/failure.ts'
import type { Io, Observation } from '../contract.ts'
import { type Answer, parseVendorJson, vendorWords } from '../http.ts'
import { readLongTexts } from '../long-texts.ts'
import { outputsOf } from '../outputs.ts'
import { toSentence } from '../vendor-api.ts'
import { maxInlineBytes, readBytes, toDataUriOf } from './bytes.ts'
import { failureOfFunction } from './failure.ts'

/** The query by which the place of a result names its call. */
export const callKey: string = '__modal_function_call_id'

/** A web endpoint's answer, read whole, but for the files in it that were kept. */
export interface WebAnswer extends Answer {
  /** The whole of it; a text of `Io.keep` where that is a file which was kept; null when it is longer than what is held in memory. */
  readonly bytes: Uint8Array | string | null
  readonly mediaType: string
}

/** Reads a response; throws what its stream throws. */
export async function readWebAnswer(response: Response, keep: Io['keep']): Promise<WebAnswer> {
  const { status, headers, body, ok } = response
  const mediaType = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  if (ok && body !== null && keep !== undefined) {
    if (/\bjson\b/.test(mediaType)) {
      const text = await readJson(body, keep)
      return {
        status,
        headers,
        bytes: text === null ? null : Buffer.from(text),
        mediaType,
        text: text ?? '',
        json: parse(mediaType, text ?? ''),
      }
    }
    if (!isText(mediaType))
      return { status, headers, bytes: await keepUnlessShort(body, keep), mediaType, text: '', json: undefined }
  }
  const bytes = await readBytes(response)
  const text = isText(mediaType) && bytes !== null ? new TextDecoder().decode(bytes) : ''
  return { status, headers, bytes, mediaType, text, json: parse(mediaType, text) }
}

/** Null when what is no file in it is more than is held in memory. */
async function readJson(body: AsyncIterable<Uint8Array>, keep: NonNullable<Io['keep']>): Promise<string | null> {
  try {
    return await readLongTexts(body, { keep, within: null, bareBase64: true, maxTextBytes: maxInlineBytes })
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Bytes that are few are held: not every answer is worth a file. */
async function keepUnlessShort(
  body: AsyncIterable<Uint8Array>,
  keep: NonNullable<Io['keep']>,
): Promise<Uint8Array | string> {
  const chunks = body[Symbol.asyncIterator]()
  const head: Uint8Array[] = []
  for (let length = 0; length < longBodyBytes; ) {
    const next = await chunks.next()
    if (next.done) return Buffer.concat(head)
    head.push(next.value)
    length += next.value.length
  }
  return await keep(
    (async function* () {
      try {
        yield* head
        for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
      } finally {
        await chunks.return?.()
      }
    })(),
  )
}

const longBodyBytes = 64 * 1024

function isText(mediaType: string): boolean {
  return /^text\/|json|^$/.test(mediaType)
}

function parse(mediaType: string, text: string): unknown {
  try {
    return /\bjson\b/.test(mediaType) ? parseVendorJson(text) : undefined
  } catch {
    return undefined
  }
}

/** What an answer says of the run. */
export type Verdict =
  /** It goes on; `location` is where to ask next, null: at the same place. */
  | { readonly kind: 'pending'; readonly location: string | null }
  /** It is over. */
  | { readonly kind: 'over'; readonly observation: Observation }
  /** Nothing about the run; what the status means is the caller's to say. */
  | { readonly kind: 'other' }

/**
 * After 150 s Modal answers with a redirect to the place of the result; there it does the same again, or (as some clients
 * have seen) says 408. Everything that the function itself answered is an end. Modal's own words are plain text beginning
 * with `modal-http:`. Sources: modal.com/docs/guide/webhook-timeouts; the words, as users show them.
 */
export function judge(answer: WebAnswer, stored: string | null): Verdict {
  const { status } = answer
  if (status >= 300 && status < 400) {
    const location = answer.headers.get('location')
    return location?.includes(callKey) ? { kind: 'pending', location } : { kind: 'other' }
  }
  if (status === 408) return { kind: 'pending', location: null }
  if (status >= 200 && status < 300) return success(answer, stored)
  const failure = failureOfAnswer(answer)
  return failure === null ? { kind: 'other' } : over(answer, { status: 'failed', failure })
}

function over({ status }: WebAnswer, seen: Omit<Observation, 'word'>): Verdict {
  return { kind: 'over', observation: { word: String(status), ...seen } }
}

function success(answer: WebAnswer, stored: string | null): Verdict {
  const { bytes, mediaType, json } = answer
  // A page for people comes from something in between, and JSON that cannot be read was cut off.
  if (mediaType === 'text/html' || (/\bjson\b/.test(mediaType) && json === undefined && bytes !== null))
    return { kind: 'other' }
  if (isErrorAlone(json)) return { kind: 'other' }
  if (stored !== null) return over(answer, { status: 'succeeded', outputs: [{ kind: 'stored', key: stored }] })
  if (bytes === null)
    return over(answer, {
      status: 'failed',
      failure: createFailure('output_too_large', `The endpoint's answer is larger than ${maxInlineBytes} bytes.`),
    })
  if (typeof bytes === 'string') return over(answer, { status: 'succeeded', outputs: [{ kind: 'stored', key: bytes }] })
  const outputs =
    json === undefined
      ? bytes.byteLength === 0
        ? []
        : [{ kind: 'data' as const, uri: toDataUriOf(bytes, mediaType || 'application/octet-stream') }]
      : outputsOf(json, { bareBase64: true })
  return over(answer, { status: 'succeeded', outputs })
}

/** `{ "error": ... }` and nothing else is what proxies say, not what a function answers with 200. */
function isErrorAlone(json: unknown): boolean {
  return typeof json === 'object' && json !== null && Object.keys(json).join() === 'error'
}

/** A failure that the function itself, or Modal about it, answered; null for every other answer. */
function failureOfAnswer({ status, text, json, mediaType }: WebAnswer): Failure | null {
  const own = /^\s*modal-http:\s*(.*)/s.exec(text)?.[1]
  if (own !== undefined)
    return status === 500 && /timed out|terminated by signal/.test(own) ? failureOfFunction(own) : null
  // FastAPI's form of an HTTPException, which is an answer of the function like any other.
  const detail = typeof json === 'object' && json !== null && 'detail' in json ? json.detail : undefined
  if (detail !== undefined && status < 500) {
    const words = vendorWords(typeof detail === 'string' ? detail : JSON.stringify(detail))
    const code: FailureCode = status === 400 || status === 422 ? 'input_invalid' : 'model_error'
    return createFailure(code, toSentence(`The endpoint answered ${status}: ${words}`))
  }
  // An exception of the function. Gateways say 502 and more, and their pages are HTML.
  if (status === 500 && mediaType !== 'text/html') return failureOfFunction(typeof detail === 'string' ? detail : text)
  return null
}
