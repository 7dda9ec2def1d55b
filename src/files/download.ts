import type { IncomingMessage } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import type { Download, DownloadOptions } from './contract.ts'
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
const redirects = new Set([301, 302, 303, 307, 308])
/** Client errors that another try may not see again: timeout, too early, too many requests. */
const passingStatuses = new Set([408, 425, 429])

/**
 * Creates the safe downloader for URLs from outside. A name is resolved once per request, only its public addresses are
 * connected to, and each redirect is checked anew: neither a redirect nor a second DNS answer leads into the private
 * network. Nothing of ours is sent along.
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

    async function* read(response: IncomingMessage, url: URL, stated: number | null): AsyncGenerator<Uint8Array, void> {
      const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
      let received = 0
      try {
        for (;;) {
          const next = await wait(chunks.next(), url, idleMs, 'no bytes came')
          if (next.done) break
          received += next.value.byteLength
          if (received > options.maxBytes) refuseTooLarge(url, options)
          yield next.value
        }
        if (stated !== null && received !== stated)
          throw createUnreachable(url, `it ended after ${received} of ${stated} bytes`)
      } finally {
        response.destroy()
      }
    }

    const first = parseOutsideUrl(text, options.trustedOrigins)
    let target = first
    for (let hop = 0; ; hop++) {
      const { url } = target
      const response = await wait(
        askOutside(target, { method: 'GET', headers, signal, resolve }),
        url,
        headMs,
        'no answer came',
      )
      try {
        const status = response.statusCode ?? 0
        if (redirects.has(status)) {
          if (hop === mostRedirects) refuse('input_invalid', `${toPlace(first.url)} redirects more than ${hop} times.`)
          const { location } = response.headers
          if (location === undefined) refuse('input_invalid', `${toPlace(url)} redirects but names no place.`)
          target = parseOutsideUrl(location, options.trustedOrigins, url)
          response.destroy()
          continue
        }
        const bytes = checkHead(response, url, options)
        const mediaType = response.headers['content-type']?.split(';')[0]?.trim().toLowerCase() || null
        return { body: read(response, url, bytes), mediaType, bytes, name: toNameInUrl(first.url) }
      } catch (error) {
        response.destroy()
        throw error
      }
    }
  }
}

/** Answers the stated length, or refuses an answer whose body is of no use. */
function checkHead(response: IncomingMessage, url: URL, options: DownloadOptions): number | null {
  const { statusCode: status = 0, headers } = response
  if (status >= 500 || passingStatuses.has(status)) throw createUnreachable(url, `it answered ${status}`)
  if (status !== 200) refuse('input_invalid', `${toPlace(url)} answered ${status}.`)
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding.toLowerCase() !== 'identity')
    refuse('input_invalid', `${toPlace(url)} sent a body in ${encoding.slice(0, 20)} although it was asked not to.`)
  const bytes = headers['content-length'] === undefined ? null : Number(headers['content-length'])
  if (bytes !== null && bytes > options.maxBytes) refuseTooLarge(url, options)
  return bytes
}

function refuseTooLarge(url: URL, { maxBytes }: DownloadOptions): never {
  refuse('input_too_large', `${toPlace(url)} is larger than the allowed ${maxBytes} bytes.`, { status: 413 })
}

function createUnreachable(url: URL, why: string, cause?: unknown): SurefootError {
  return new SurefootError(createFailure('provider_unreachable', `${toPlace(url)} could not be fetched: ${why}.`), {
    cause,
  })
}
