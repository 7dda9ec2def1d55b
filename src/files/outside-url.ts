import { isIP } from 'node:net'
import { refuse } from '../core/failure.ts'
import { toFileName } from '../core/file-name.ts'
import { isPublicAddress } from './public-address.ts'

/** Longest URL that is taken; signed URLs of object stores run to about 2,000 characters. */
const longestUrl = 8_192

/** A URL from outside that may be asked, as far as its text tells. */
export interface OutsideUrl {
  readonly url: URL
  /** True where its origin is trusted: then private addresses are fine. */
  readonly trusted: boolean
}

/**
 * Parses a URL from outside: http or https, no credentials, and no private address in it unless its origin is trusted.
 * Odd forms of addresses (decimal, hex, octal, short) need no care here: the URL parser has made them plain. What a *name*
 * resolves to is checked when connecting. Refuses with `input_invalid`, without repeating the URL's query.
 */
export function parseOutsideUrl(text: string, trustedOrigins: readonly string[], base?: URL): OutsideUrl {
  if (text.length > longestUrl) refuse('input_invalid', `The URL is longer than ${longestUrl} characters.`)
  const url = URL.parse(text, base?.href)
  if (url === null) refuse('input_invalid', 'This is not a URL that can be fetched.')
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    refuse('input_invalid', `Only http and https URLs can be fetched, not ${url.protocol.slice(0, 20)}`)
  if (url.username !== '' || url.password !== '')
    refuse('input_invalid', `The URL of ${url.host} holds a user name or password, which is not sent to anybody.`)
  const trusted = trustedOrigins.some(origin => URL.parse(origin)?.origin === url.origin)
  const address = url.hostname.replace(/^\[|\]$/g, '')
  if (!trusted && isIP(address) > 0 && !isPublicAddress(address)) refuseAddress(url)
  return { url, trusted }
}

/** For a host that is, or resolves to, an address outside the public internet. */
export function refuseAddress(url: URL): never {
  refuse('input_invalid', `${toPlace(url)} is not on the public internet, and its origin is not trusted.`, {
    advice: 'Send the file itself, or a URL that anybody on the internet can reach.',
  })
}

/** Host and path for messages: the query of a signed URL is a secret. */
export function toPlace(url: URL): string {
  return `${url.host}${url.pathname}`.slice(0, 300)
}

/** The file's name by the last segment of a URL's path. */
export function toNameInUrl(url: URL): string {
  return toFileName(decode(url.pathname.split('/').at(-1) ?? ''))
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
