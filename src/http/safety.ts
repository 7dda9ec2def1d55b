import type { MiddlewareHandler } from 'hono'
import type { AppDependencies, Context, Env } from './context.ts'
import { refuseHttp } from './errors.ts'

/**
 * Hosts under which a loopback server on `port` may be called: its own names and the public base URL's host.
 * Any other name in a Host header means that a page rebound its own domain to this machine.
 */
export function hostsOf(port: number, publicUrl: string | null): readonly string[] {
  const names = ['127.0.0.1', 'localhost', '[::1]'].map(name => `${name}:${port}`)
  // Clients leave the port out where it is the scheme's default.
  if (port === 80) names.push('127.0.0.1', 'localhost', '[::1]')
  return publicUrl === null ? names : [...names, new URL(publicUrl).host]
}

/**
 * Without tokens, whoever reaches the port may spend money, and every web page that is open on this machine reaches it.
 * So requests must name one of our hosts, and those that a browser marks as coming from elsewhere are refused, other
 * ports of this machine included. Programs (curl, the clients, kits, providers) send neither mark and pass. Open to all
 * pages are only the Studio page itself and links whose signature is the permission.
 */
export function guard({ allowedHosts, publicUrl }: AppDependencies): MiddlewareHandler<Env> {
  return async (c, next) => {
    const url = new URL(c.req.url)
    // A request line may carry a whole URL, so host and header can differ.
    const host = c.req.header('host') ?? url.host
    if (!allowedHosts.includes(host.toLowerCase()) || !allowedHosts.includes(url.host)) {
      refuseHttp('host_refused', 'This host name is not one of ours; set publicUrl in the config to serve it.')
    }
    const origin = publicUrl !== null && new URL(publicUrl).host === url.host ? publicUrl : url.origin
    c.set('origin', origin.replace(/\/$/, ''))
    c.set('owner', 'local')
    if (!isOpenToAllPages(c, url.pathname) && comesFromElsewhere(c)) {
      refuseHttp('origin_refused', 'Pages of other sites and ports may not call this server.')
    }
    await next()
  }
}

/** Sets on every answer what keeps a browser from framing, sniffing, caching or sharing it. */
export const secureHeaders: MiddlewareHandler<Env> = async (c, next) => {
  await next()
  const { headers } = c.res
  headers.set('x-request-id', c.get('requestId'))
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer')
  headers.set('x-frame-options', 'DENY')
  const defaults = {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
  }
  for (const [name, value] of Object.entries(defaults)) if (!headers.has(name)) headers.set(name, value)
}

function comesFromElsewhere(c: Context): boolean {
  const site = c.req.header('sec-fetch-site')
  if (site === 'cross-site' || site === 'same-site') return true
  const origin = c.req.header('origin')
  return origin !== undefined && origin !== c.get('origin')
}

function isOpenToAllPages(c: Context, path: string): boolean {
  if (c.req.method !== 'GET' && c.req.method !== 'HEAD') return false
  return !path.startsWith('/v1/')
    ? /^\/($|assets\/|[\w-]+\.(svg|png|ico|html)$)/.test(path)
    : /^\/v1\/(outputs\/[^/]+\/[^/]+|inputs\/[^/]+|files\/[^/]+\/download)$/.test(path)
}
