import { z } from '@hono/zod-openapi'
import { endOf, type Scope, scopes, type Token } from '../core/token.ts'
import { readJson } from './body.ts'
import type { App, AppDependencies } from './context.ts'
import { refuseHttp } from './errors.ts'
import { addRoute, json, parse } from './route.ts'
import { mintToken } from './secrets.ts'
import type { CreateTokenBody, NewTokenJson, TokenJson, TokensJson } from './token-shapes.ts'
import { toTime, toTimeOrNull } from './view.ts'

const tokenFields = {
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(scopes)),
  state: z.enum(['good', 'expired', 'revoked']),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
  last_used_at: z.iso.datetime().nullable(),
  requests_per_minute: z.int().nullable(),
  concurrency: z.int().nullable(),
  budget_per_day: z.number().nullable(),
  file_bytes: z.int().nullable(),
  stored_bytes: z.int().nullable(),
}
const tokenSchema: z.ZodType<TokenJson> = z.object(tokenFields).openapi('Token')
const newTokenSchema: z.ZodType<NewTokenJson> = z
  .object({ ...tokenFields, secret: z.string().openapi({ description: 'Told here and never again.' }) })
  .openapi('NewToken')

const createSchema: z.ZodType<CreateTokenBody> = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    scopes: z.array(z.enum(scopes)).min(1).optional(),
    expires_in: z
      .number()
      .positive()
      .max(3_650 * 86_400)
      .optional()
      .openapi({ description: 'Seconds.' }),
    requests_per_minute: z.int().min(1).max(1_000_000).optional(),
    concurrency: z.int().min(1).max(1_000_000).optional(),
    budget_per_day: z.number().min(0).max(1e9).optional().openapi({ description: 'USD of a UTC day.' }),
    file_bytes: z.int().min(1).max(1e15).optional().openapi({ description: 'Bytes of one file.' }),
    stored_bytes: z.int().min(1).max(1e15).optional().openapi({ description: 'Bytes of all files kept at once.' }),
  })
  .openapi('CreateToken')

/** Tokens over HTTP: for callers with the scope `admin`, and for the command line on this machine. */
export function addTokens(app: App, { store, clock }: AppDependencies): void {
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/tokens',
      summary: 'Make a token; its secret is told in this answer only',
      body: { content: json(createSchema) },
      responses: { 201: { description: 'The token.', content: json(newTokenSchema) } },
    },
    async c => {
      const body = parse(createSchema, await readJson(c), 'body')
      const { id, secret, digest } = mintToken()
      const now = clock.now()
      const token: Token = {
        id,
        name: body.name,
        digest,
        scopes: [...new Set<Scope>(body.scopes ?? ['predict', 'read'])],
        limits: {
          requestsPerMinute: body.requests_per_minute ?? null,
          concurrency: body.concurrency ?? null,
          budgetPerDay: body.budget_per_day ?? null,
          fileBytes: body.file_bytes ?? null,
          storedBytes: body.stored_bytes ?? null,
        },
        createdAt: now,
        expiresAt: body.expires_in === undefined ? null : Math.ceil(now + body.expires_in * 1000),
        revokedAt: null,
        lastUsedAt: null,
      }
      await store.addToken(token)
      return c.json({ ...toTokenView(token, now), secret } satisfies NewTokenJson, 201)
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/tokens',
      summary: 'List tokens, newest first, those that are over too',
      responses: { 200: { description: 'All of them.', content: json(z.object({ tokens: z.array(tokenSchema) })) } },
    },
    async c => {
      const tokens = await store.listTokens()
      return c.json({ tokens: tokens.map(token => toTokenView(token, clock.now())) } satisfies TokensJson)
    },
  )
  addRoute(
    app,
    {
      method: 'delete',
      path: '/v1/tokens/{id}',
      summary: 'Revoke a token; what it began goes on',
      params: z.object({ id: z.string() }),
      responses: { 204: { description: 'Revoked.' } },
    },
    async (c, { params: { id } }) => {
      if (!(await store.revokeToken(id, clock.now())))
        refuseHttp('not_found', `There is no token ${id} here that could be revoked.`)
      return c.body(null, 204)
    },
  )
}

function toTokenView(token: Token, now: number): TokenJson {
  const { id, name, scopes, createdAt, expiresAt, revokedAt, lastUsedAt, limits } = token
  return {
    ...{ id, name, scopes },
    state: endOf(token, now) ?? 'good',
    created_at: toTime(createdAt),
    expires_at: toTimeOrNull(expiresAt),
    revoked_at: toTimeOrNull(revokedAt),
    last_used_at: toTimeOrNull(lastUsedAt),
    requests_per_minute: limits.requestsPerMinute,
    concurrency: limits.concurrency,
    budget_per_day: limits.budgetPerDay,
    file_bytes: limits.fileBytes,
    stored_bytes: limits.storedBytes,
  }
}
