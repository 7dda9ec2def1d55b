import { refuse, SurefootError } from '../core/failure.ts'
import type { OutsidePost } from './contract.ts'
import { askOutside, type Resolve, systemResolve } from './outside-request.ts'
import { parseOutsideUrl } from './outside-url.ts'
import { abortable } from './with-signal.ts'

export interface OutsidePostOptions {
  /** Origins (`http://127.0.0.1:3000`) that may be private or loopback addresses; everything else must be public. */
  readonly trustedOrigins: readonly string[]
  /** Default: the system's resolver, hosts file included. */
  readonly resolve?: Resolve
}

/** Creates the safe poster: it connects as the safe downloader does, follows no redirect and reads no answer's body. */
export function createOutsidePost({ trustedOrigins, resolve = systemResolve }: OutsidePostOptions): OutsidePost {
  return {
    check(text) {
      const { url, trusted } = parseOutsideUrl(text, trustedOrigins)
      // A name is looked up when connecting; this one needs no looking up.
      if (!trusted && /(^|\.)localhost\.?$/.test(url.hostname))
        refuse('input_invalid', `${url.host} is this machine, and its origin is not trusted.`)
    },
    async post(text, { headers, body, signal }) {
      const target = parseOutsideUrl(text, trustedOrigins)
      try {
        const asked = askOutside(target, { method: 'POST', headers, body, signal, resolve })
        const response = await abortable(asked, signal)
        response.destroy()
        return response.statusCode ?? 0
      } catch (error) {
        if (SurefootError.is(error) || signal.aborted) throw error
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'cut off'
        return refuse('provider_unreachable', `${target.url.host} could not be reached: ${code}.`, { cause: error })
      }
    },
  }
}
