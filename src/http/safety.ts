import type { MiddlewareHandler } from 'hono'
import type { AppDependencies, Context, Env } from './context.ts'
import { answerPreflight, isPreflight, shareWith } from './cors.ts'
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
 * Where no tokens are needed, whoever reaches the port may spend money, and every web page that is open on this machine
 * reaches it. So there requests must name one of our hosts. Everywhere those that a browser marks as coming from elsewhere are refused, other
 * ports of this machine included. Programs (curl, the clients, kits, providers) send neither mark and pass. Open to all
 * pages are only the Studio page itself and links whose signature is the permission; the API is to pages of `corsOrigins`,
 * whose preflights are answered here. Under a public base URL, where all
 * the world may call, only what carries its permission in its address is served; a proxy that says so counts as that,
 * whatever host it names.
 */
export function guard({ allowedHosts, publicUrl, corsOrigins = [] }: AppDependencies): MiddlewareHandler<Env> {
  const publicOrigin = publicUrl === null ? null : new URL(publicUrl)
  return async (c, next) => {
    const { mounted } = c.env ?? {}
    // Whose host it is an app that mounts us knows, and who comes in it says of each.
    const isGuarded = async () => mounted !== undefined || (await c.get('door').needsTokens())
    const url = new URL(c.req.url)
    // A request line may carry a whole URL, so host and header can differ.
    const hosts = [url.host, (c.req.header('host') ?? url.host).toLowerCase()]
    if (!hosts.every(host => allowedHosts.includes(host)) && !(await isGuarded())) {
      refuseHttp('host_refused', 'This host name is not one of ours; set publicUrl in the config to serve it.')
    }
    const outside =
      publicOrigin !== null &&
      !isLoopback(publicOrigin.hostname) &&
      (hosts.includes(publicOrigin.host) || wasForwarded(c))
    if (outside && !carriesPermission(url.pathname) && !(await isGuarded())) {
      refuseHttp(
        'host_refused',
        'Without access tokens only signed links, uploads and webhooks are served to the outside; "surefoot token create" makes one.',
      )
    }
    const own = publicOrigin?.host === url.host ? publicOrigin.origin : url.origin
    c.set('origin', publicOrigin?.host === url.host && publicUrl !== null ? publicUrl : own + (mounted?.base ?? ''))
    const origin = c.req.header('origin')
    if (origin !== undefined && corsOrigins.includes(origin) && isForPages(url.pathname)) {
      if (isPreflight(c)) return answerPreflight(origin)
      c.set('isForeign', true)
      await next()
      shareWith(origin, c.res.headers)
      return
    }
    if (!isOpenToAllPages(c, url.pathname) && comesFromElsewhere(c, own)) {
      refuseHttp('origin_refused', 'Pages of other sites and ports may not call this server.')
    }
    await next()
  }
}

/** What tunnels and proxies add. Many put our own name into the Host header, and the world would look like this machine. */
const proxyHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'cf-connecting-ip']

function wasForwarded(c: Context): boolean {
  return proxyHeaders.some(name => c.req.header(name) !== undefined)
}

/** True for host names and addresses that only this machine reaches; IPv6 with or without brackets. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
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

function comesFromElsewhere(c: Context, own: string): boolean {
  const site = c.req.header('sec-fetch-site')
  // The browser knows better than an Origin whose scheme a proxy has changed.
  if (site === 'same-origin') return false
  if (site === 'cross-site' || site === 'same-site') return true
  const origin = c.req.header('origin')
  return origin !== undefined && origin !== own
}

function isOpenToAllPages(c: Context, path: string): boolean {
  if (c.req.method !== 'GET' && c.req.method !== 'HEAD') return false
  return signedLink.test(path) || /^\/($|assets\/|[\w-]+\.(svg|png|ico|html)$)/.test(path)
}

/** The API, and where its pages upload: other signed addresses are for everybody or for programs. */
function isForPages(path: string): boolean {
  return !carriesPermission(path) || /^\/v1\/files\/[^/]+\/content$/.test(path)
}

/** Paths whose signature or secret is checked before anything else. */
export function carriesPermission(path: string): boolean {
  return (
    signedLink.test(path) ||
    /^\/v1\/(uploads\/[^/]+\/[^/]+|webhooks\/[^/]+\/[^/]+\/[^/]+|files\/[^/]+\/content)$/.test(path)
  )
}

const signedLink = /^\/v1\/(outputs\/[^/]+\/[^/]+|inputs\/[^/]+|files\/[^/]+\/download)$/
