import { lookup as systemLookup } from 'node:dns/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { type OutsideUrl, refuseAddress } from './outside-url.ts'
import { isPublicAddress } from './public-address.ts'

/** All addresses of a host name. */
export type Resolve = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

/** The system's resolver, hosts file included. */
export const systemResolve: Resolve = hostname => systemLookup(hostname, { all: true })

export interface OutsideRequest {
  readonly method: 'GET' | 'POST'
  readonly headers: { readonly [name: string]: string }
  /** Default: none. */
  readonly body?: string
  /** Ends the request, and the answer's body if that is still being read. */
  readonly signal: AbortSignal
  readonly resolve: Resolve
}

/**
 * Sends one request to a URL from outside and answers the head of what comes back; whoever asks must read the body or
 * destroy it. Its name is resolved once, and only public addresses are connected to unless the URL is trusted:
 * `input_invalid` where there are none. Redirects are not followed. Errors of the network come as Node has them.
 */
export function askOutside({ url, trusted }: OutsideUrl, request: OutsideRequest): Promise<IncomingMessage> {
  const { method, body, signal, resolve } = request
  // Node connects to exactly what this answers: checked here, there is no second look at DNS to be lied to.
  const lookup: LookupFunction = (hostname, lookupOptions, callback) => {
    resolve(hostname)
      .then(addresses => {
        const usable = addresses.filter(({ address }) => trusted || isPublicAddress(address))
        const [best] = usable
        if (best === undefined) refuseAddress(url)
        if (lookupOptions.all === true) callback(null, [...usable])
        else callback(null, best.address, best.family)
      })
      .catch((error: NodeJS.ErrnoException) => callback(error, []))
  }
  const headers = {
    ...request.headers,
    'user-agent': 'surefoot',
    ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
  }
  return new Promise((resolveResponse, reject) => {
    const { request: send } = url.protocol === 'https:' ? https : http
    // No agent: a kept connection would be found again by name, past the check above.
    send(url, { method, agent: false, headers, lookup, signal }, resolveResponse).on('error', reject).end(body)
  })
}
