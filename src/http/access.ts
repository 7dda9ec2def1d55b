import { invariant } from '../core/failure.ts'
import type { Scope } from '../core/token.ts'

/**
 * What a route asks of its caller: a scope; nothing (`open`); a signature or secret in its address that its handler
 * checks (`link`); or, even where no tokens are asked for, proof of the scope `admin` (`tokens`).
 */
export type Access = Scope | 'open' | 'link' | 'tokens'

/** The one table of who may call what. A route that is not in it cannot be added. */
export const accessByRoute: { readonly [route: string]: Access } = {
  'GET /healthz': 'open',
  'GET /readyz': 'open',
  // Of all owners together: how many, and what they cost.
  'GET /metrics': 'admin',
  'GET /openapi.json': 'read',

  'POST /v1/predictions': 'predict',
  'POST /v1/models/{owner}/{name}/predictions': 'predict',
  'POST /v1/deployments/{owner}/{name}/predictions': 'predict',
  'POST /v1/predictions/{id}/cancel': 'predict',
  'GET /v1/predictions': 'read',
  'GET /v1/predictions/{id}': 'read',
  'GET /v1/predictions/{id}/events': 'read',
  'GET /v1/predictions/{id}/attempts': 'read',

  'POST /v1/files': 'predict',
  'POST /v1/files/uploads': 'predict',
  'DELETE /v1/files/{id}': 'predict',
  'GET /v1/files': 'read',
  'GET /v1/files/{id}': 'read',

  'GET /v1/account': 'read',
  'GET /v1/models': 'read',
  'GET /v1/models/{owner}/{name}': 'read',
  'GET /v1/models/{owner}/{name}/versions': 'read',
  'GET /v1/models/{owner}/{name}/versions/{version}': 'read',
  'GET /v1/providers': 'read',
  'GET /v1/webhooks/default/secret': 'read',
  'GET /v1/webhooks': 'read',
  'POST /v1/predictions/{id}/webhooks/resend': 'predict',

  'GET /v1/migrations': 'admin',
  'POST /v1/migrations/{owner}/{name}/{action}': 'admin',
  'GET /v1/models/{owner}/{name}/warm': 'admin',
  'POST /v1/models/{owner}/{name}/warm': 'admin',
  'GET /v1/models/{owner}/{name}/warm/{id}': 'admin',

  'GET /v1/tokens': 'tokens',
  'POST /v1/tokens': 'tokens',
  'DELETE /v1/tokens/{id}': 'tokens',

  'GET /v1/files/{id}/download': 'link',
  'GET /v1/inputs/{name}': 'link',
  'GET /v1/outputs/{prediction}/{name}': 'link',
  'PUT /v1/files/{id}/content': 'link',
  'PUT /v1/uploads/{attempt}/{name}': 'link',
  'POST /v1/webhooks/{provider}/{attempt}/{secret}': 'link',
}

/** What a route asks of its caller, by method and path with `{name}` for parameters. */
export function accessOf(method: string, path: string): Access {
  const route = `${method.toUpperCase()} ${path}`
  const access = Object.hasOwn(accessByRoute, route) ? accessByRoute[route] : undefined
  invariant(access !== undefined, `${route} is not in the table of who may call it`)
  return access
}

/** The scope that a token needs for it; null where none is asked for. */
export function scopeFor(access: Access): Scope | null {
  if (access === 'open' || access === 'link') return null
  return access === 'tokens' ? 'admin' : access
}
