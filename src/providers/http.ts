import { findExcess, type JsonLimits } from '../core/json-structure.ts'
import type { Io } from './contract.ts'
import { type InlineFiles, readLongTexts } from './long-texts.ts'

/** A vendor's answer, read whole, but for the files in it that were kept. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Undefined unless the vendor calls it JSON and it parses: an HTML page with status 200 is no answer. */
  readonly json: unknown
}

/** Logs and inputs come back whole inside answers; more than this, not counting files that are kept, is no honest answer. */
export const maxAnswerBytes: number = 32 * 1024 * 1024

/** Parsed, 32 MB of empty objects are 2 GB, and what is nested five thousand deep fails wherever it is stored or quoted. */
const jsonLimits: JsonLimits = { depth: 200, values: 1_000_000 }

/**
 * One exchange with a vendor's API, without following redirects (a token must not wander). Files in its JSON are kept where
 * `inline` says how they look. Throws what `fetch` throws, and a `RangeError` for an answer that never ends or whose JSON is
 * more than `parseVendorJson` takes.
 */
export async function exchange(
  { fetch, signal, keep }: Io,
  url: string,
  init: RequestInit & { duplex?: 'half' },
  inline: InlineFiles | null = null,
): Promise<Answer> {
  const response = await fetch(url, { ...init, signal, redirect: 'manual' })
  const { body, headers } = response
  const mayKeep = body !== null && keep !== undefined && inline !== null && response.ok && isJson(headers)
  const text = mayKeep
    ? await readLongTexts(body, { ...inline, keep, maxTextBytes: maxAnswerBytes })
    : await readText(response)
  return { status: response.status, headers: response.headers, text, json: parse(response.headers, text) }
}

async function readText(response: Response): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    if (bytes > maxAnswerBytes) throw new RangeError(`The answer is larger than ${maxAnswerBytes} bytes.`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function isJson(headers: Headers): boolean {
  return /\bjson\b/i.test(headers.get('content-type') ?? '')
}

function parse(headers: Headers, text: string): unknown {
  return isJson(headers) ? parseVendorJson(text) : undefined
}

/** What JSON of a vendor says; undefined where it is none. Throws a `RangeError` for more than 200 levels or a million values. */
export function parseVendorJson(text: string): unknown {
  const excess = findExcess(text, jsonLimits)
  if (excess === 'depth') throw new RangeError(`The answer is nested deeper than ${jsonLimits.depth} levels.`)
  if (excess === 'values') throw new RangeError(`The answer holds more than ${jsonLimits.values} values.`)
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Errors that mean that no connection came about: not a byte of the request left. */
const unsentCodes = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

/** True when an error of `fetch` proves that the request never left this machine; a reset proves nothing. */
export function surelyNotSent(error: unknown): boolean {
  const cause: unknown = error instanceof Error && error.cause !== undefined ? error.cause : error
  // Node tries every address of a name and reports all the refusals together.
  if (cause instanceof AggregateError) return cause.errors.length > 0 && cause.errors.every(surelyNotSent)
  const code = errorCode(cause)
  return code !== null && unsentCodes.has(code)
}

/** What went wrong with a call, in a few words; of its address only host and port are named, the rest may be secret. */
export function describeNetworkError(error: unknown, signal: AbortSignal, address?: string | URL): string {
  if (signal.aborted) return 'no answer came in time'
  if (error instanceof RangeError) return error.message
  const code = errorCode(error) ?? errorCode(error instanceof Error ? error.cause : null)
  return connectionFailed(address, code)
}

/** That a connection failed, to which host and port, and with which code of the system's, as far as both are known. */
export function connectionFailed(address: string | URL | undefined, code: string | null): string {
  const host = address === undefined ? undefined : URL.parse(String(address))?.host
  return `the connection ${host === undefined ? '' : `to ${host} `}failed${code === null ? '' : ` (${code})`}`
}

function errorCode(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('code' in value)) return null
  return typeof value.code === 'string' ? value.code : null
}

/** Characters that are looked through; an error may be as long as the whole answer. */
const mostReadWords = 20_000

/**
 * A vendor's own words, fit for a failure's message: one line, at most 400 characters, and of every URL only its origin,
 * because paths and queries carry signatures and our webhook secrets.
 */
export function vendorWords(text: string): string {
  const line = text
    .slice(0, mostReadWords)
    .replace(/data:[\w/+.-]*[;,][^\s"'<>]*/g, 'data:…')
    .replace(/(https?:\/\/[^\s/"'<>?#]+)[^\s"'<>]*/g, '$1/…')
    .replace(/\s+/g, ' ')
    .trim()
  return line.length > 400 ? `${line.slice(0, 399)}…` : line
}
