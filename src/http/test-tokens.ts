import { noLimits, type Token } from '../core/token.ts'
import { mintToken } from './secrets.ts'
import type { TestFront } from './test-support.ts'

/** A token in the front's store, and the header that its holder sends. */
export async function addToken(
  { store, clock }: Pick<TestFront, 'store' | 'clock'>,
  over: Partial<Token> = {},
): Promise<{ readonly id: string; readonly secret: string; readonly headers: { readonly authorization: string } }> {
  const { id, secret, digest } = mintToken()
  await store.addToken({
    ...{ id, digest, name: 'Ann', scopes: ['predict', 'read'], limits: noLimits },
    ...{ createdAt: clock.now(), expiresAt: null, revokedAt: null, lastUsedAt: null },
    ...over,
  })
  return { id, secret, headers: { authorization: `Bearer ${secret}` } }
}

/** One documented route. */
export interface DocumentedRoute {
  readonly method: string
  /** With `{name}` for parameters. */
  readonly path: string
  /** The scope that it needs; null where it needs no token. */
  readonly scope: string | null
}

/** Every route of a front's OpenAPI document. */
export async function readRoutes(
  { send }: Pick<TestFront, 'send'>,
  headers: Readonly<Record<string, string>> = {},
): Promise<readonly DocumentedRoute[]> {
  const document = (await (await send('/openapi.json', { headers })).json()) as {
    readonly paths: Record<string, Record<string, { readonly security: readonly { readonly token: string[] }[] }>>
  }
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path,
      scope: security[0]?.token[0] ?? null,
    })),
  )
}

/** The path with its parameters filled in: `values` by name, else something that nobody has. */
export function fill(path: string, values: Readonly<Record<string, string>> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? 'nothing')
}
