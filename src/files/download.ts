import type { IncomingMessage } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import type { Download, DownloadOptions, Resumption } from './contract.ts'
import { askOutside, type Resolve, systemResolve } from './outside-request.ts'
import { parseOutsideUrl, toNameInUrl, toPlace } from './outside-url.ts'
import { abortable } from './with-signal.ts'

export interface DownloadSetup {
  /** All addresses of a host name. Default: the system's resolver, hosts file included. */
  readonly resolve?: Resolve
  /** For the two limits below; without a clock only the caller's signal ends a slow download. */
  readonly clock?: Clock
  /** Longest wait for an answer's head, each redirect anew. Default: 30 s. */
  readonly headMs?: number
  /** Longest wait for the next bytes, counted only while somebody waits for them. Default: 30 s. */
  readonly idleMs?: number
}

const headers = { accept: '*/*', 'accept-encoding': 'identity' }
const mostRedirects = 5
/** A connection that is cut more often than this, with something in between each time, is given up. */
const mostResumes = 10
const redirects = new Set([301, 302, 303, 307, 308])
/** Client errors that another try may not see again: timeout, too early, too many requests. */
const passingStatuses = new Set([408, 425, 429])

/**
 * Creates the safe downloader for URLs from outside. A name is resolved once per request, only its public addresses are
 * connected to, and each redirect is checked anew: neither a redirect nor a second DNS answer leads into the private
 * network. Nothing of ours is sent along. A body that is cut off goes on where it ended, where its server states a strong
 * ETag and a length and answers for the rest of the same file; `after` does the same for what an earlier call has brought.
 *
 * Fails with `input_invalid` (a URL that is refused, an answer that is final, such as 404), `input_too_large`, or
 * `provider_unreachable` (network, timeouts, 5xx, 429, a body that ends early). Messages name host and path, never the query.
 * The body must be read, or the signal aborted: until then a connection is open.
 */
export function createDownload(setup: DownloadSetup = {}): Download {
  const { resolve = systemResolve, clock, headMs = 30_000, idleMs = 30_000 } = setup

  return async (text, options) => {
    const ending = new AbortController()
    const signal = AbortSignal.any([options.signal, ending.signal])

    /** Waits for something of the network; every failure comes out named, and the caller's abort as it is. */
    async function wait<T>(promise: Promise<T>, url: URL, limitMs: number, what: string): Promise<T> {
      const tooSlow = () => ending.abort(createUnreachable(url, `${what} for ${limitMs / 1_000} seconds`))
      const disarm = clock?.after(limitMs, tooSlow)
      try {
        return await abortable(promise, signal)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        if (SurefootError.is(error)) throw error
        throw createUnreachable(url, error instanceof Error && 'code' in error ? String(error.code) : 'cut off', error)
      } finally {
        disarm?.()
      }
    }

    /** Asks and follows redirects, each checked anew; answers the head of what is no redirect. */
    async function ask(more: { readonly [name: string]: string }): Promise<Answer> {
      let target = first
      for (let hop = 0; ; hop++) {
        const { url } = target
        const request = { method: 'GET', headers: { ...headers, ...more }, signal, resolve } as const
        const response = await wait(askOutside(target, request), url, headMs, 'no answer came')
        if (!redirects.has(response.statusCode ?? 0)) return { response, url }
        response.destroy()
        if (hop === mostRedirects) refuse('input_invalid', `${toPlace(first.url)} redirects more than ${hop} times.`)
        const { location } = response.headers
        if (location === undefined) refuse('input_invalid', `${toPlace(url)} redirects but names no place.`)
        target = parseOutsideUrl(location, options.trustedOrigins, url)
      }
    }

    /** The bytes of one answer, up to its end or to what cuts it off. */
    async function* readOnce(response: IncomingMessage, url: URL): AsyncGenerator<Uint8Array, void> {
      const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
      try {
        for (;;) {
          const next = await wait(chunks.next(), url, idleMs, 'no bytes came')
          if (next.done) return
          yield next.value
        }
      } finally {
        response.destroy()
      }
    }

    /** The rest of a body that was cut off; null where its server does not give exactly that. */
    async function askForRest(after: Resumption): Promise<IncomingMessage | null> {
      const { response } = await ask(toRange(after))
      if (isRest(response, after)) return response
      response.destroy()
      return null
    }

    /** The rest of what an earlier call has brought, or the whole file. */
    async function begin(after: Resumption): Promise<Answer & { readonly isRest: boolean }> {
      const answer = await ask(toRange(after))
      if (isRest(answer.response, after)) return { ...answer, isRest: true }
      const { statusCode } = answer.response
      if (statusCode !== 206 && statusCode !== 416) return { ...answer, isRest: false }
      answer.response.destroy()
      return { ...(await ask({})), isRest: false }
    }

    async function* read(
      start: Answer,
      stated: number | null,
      resumption: Resumption | null,
    ): AsyncGenerator<Uint8Array, void> {
      const { url } = start
      let received = resumption?.from ?? 0
      for (let { response } = start, resumes = 0; ; resumes++) {
        const before = received
        try {
          for await (const chunk of readOnce(response, url)) {
            received += chunk.byteLength
            if (received > options.maxBytes) refuseTooLarge(url, options)
            yield chunk
          }
          if (stated === null || received === stated) return
          throw createUnreachable(url, `it ended after ${received} of ${stated} bytes`)
        } catch (error) {
          const isCut = SurefootError.is(error) && error.failure.code === 'provider_unreachable' && !signal.aborted
          // Without a byte more than the last time it is not a cut that another try gets past.
          if (!isCut || resumption === null || received === before || resumes === mostResumes) throw error
          const rest = await askForRest({ ...resumption, from: received })
          if (rest === null) throw error
          response = rest
        }
      }
    }

    const first = parseOutsideUrl(text, options.trustedOrigins)
    const { after } = options
    const name = toNameInUrl(first.url)
    const answer = after === undefined ? { ...(await ask({})), isRest: false } : await begin(after)
    const { response, url } = answer
    try {
      const mediaType = response.headers['content-type']?.split(';')[0]?.trim().toLowerCase() || null
      const rest = answer.isRest ? after : undefined
      const bytes = rest?.total ?? checkHead(response, url)
      if (bytes !== null && bytes > options.maxBytes) refuseTooLarge(url, options)
      const resumption = rest ?? toResumption(response, bytes)
      const downloaded = { body: read(answer, bytes, resumption), mediaType, bytes, name }
      return resumption === null ? downloaded : { ...downloaded, resumption }
    } catch (error) {
      response.destroy()
      throw error
    }
  }
}

/** The head of an answer that is no redirect, and who gave it. */
interface Answer {
  readonly response: IncomingMessage
  readonly url: URL
}

/** Null where nothing would tell whether the file has changed meanwhile (RFC 9110, section 13.1.5: no weak validators). */
function toResumption({ headers }: IncomingMessage, total: number | null): Resumption | null {
  const validator = headers.etag?.startsWith('"') ? headers.etag : null
  return total === null || validator === null ? null : { from: 0, total, validator }
}

function toRange({ from, validator }: Resumption): { readonly [name: string]: string } {
  return { range: `bytes=${from}-`, 'if-range': validator }
}

/** Whether this is exactly the rest of the same file. */
function isRest(response: IncomingMessage, { from, total, validator }: Resumption): boolean {
  const { statusCode, headers } = response
  return (
    statusCode === 206 &&
    headers['content-range'] === `bytes ${from}-${total - 1}/${total}` &&
    // One that knows no `If-Range` answers for whatever file is there now.
    (headers.etag ?? validator) === validator &&
    isPlain(response)
  )
}

function isPlain({ headers }: IncomingMessage): boolean {
  return (headers['content-encoding'] ?? 'identity').toLowerCase() === 'identity'
}

/** Answers the stated length, or refuses an answer whose body is of no use. */
function checkHead(response: IncomingMessage, url: URL): number | null {
  const { statusCode: status = 0, headers } = response
  if (status >= 500 || passingStatuses.has(status)) throw createUnreachable(url, `it answered ${status}`)
  if (status !== 200) refuse('input_invalid', `${toPlace(url)} answered ${status}.`)
  if (!isPlain(response)) {
    const encoding = headers['content-encoding']?.slice(0, 20)
    refuse('input_invalid', `${toPlace(url)} sent a body in ${encoding} although it was asked not to.`)
  }
  return headers['content-length'] === undefined ? null : Number(headers['content-length'])
}

function refuseTooLarge(url: URL, { maxBytes }: DownloadOptions): never {
  refuse('input_too_large', `${toPlace(url)} is larger than the allowed ${maxBytes} bytes.`, { status: 413 })
}

function createUnreachable(url: URL, why: string, cause?: unknown): SurefootError {
  return new SurefootError(createFailure('provider_unreachable', `${toPlace(url)} could not be fetched: ${why}.`), {
    cause,
  })
}
