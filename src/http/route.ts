import type { RouteConfig, z } from '@hono/zod-openapi'
import { refuse } from '../core/failure.ts'
import { wordsOfIssue } from '../core/issue-words.ts'
import { accessOf, scopeFor } from './access.ts'
import type { App, Context } from './context.ts'
import { errorSchema } from './schemas.ts'

type None = z.ZodObject<Record<never, never>>

/** One route: what the OpenAPI document says of it is what its requests are checked against. */
export interface RouteDefinition<P extends z.ZodObject, Q extends z.ZodObject> {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  /** With `{name}` for parameters. */
  readonly path: string
  readonly summary: string
  readonly params?: P
  readonly query?: Q
  readonly headers?: z.ZodObject
  /** Documented here, read and checked by the handler: bodies may be streams. */
  readonly body?: NonNullable<RouteConfig['request']>['body']
  readonly responses: RouteConfig['responses']
}

/** Adds a route that is in the table of access, and lets in whom that says; parameters and query that do not fit their schemas end as `input_invalid` (422). */
export function addRoute<P extends z.ZodObject = None, Q extends z.ZodObject = None>(
  app: App,
  definition: RouteDefinition<P, Q>,
  handler: (c: Context, request: { params: z.output<P>; query: z.output<Q> }) => Response | Promise<Response>,
): void {
  const { method, path, summary, params, query, headers, body, responses } = definition
  const access = accessOf(method, path)
  const scope = scopeFor(access)
  app.openAPIRegistry.registerPath({
    method,
    path,
    summary,
    request: { params, query, headers, body },
    security: scope === null ? [] : [{ token: [scope] }],
    responses: { ...responses, default: { description: 'An error.', content: json(errorSchema) } },
  })
  app.on(method.toUpperCase(), path.replaceAll(/\{(\w+)\}/g, ':$1'), async c => {
    await c.get('door').admit(c, access)
    return await handler(c, {
      params: parse(params, c.req.param(), 'path') as z.output<P>,
      query: parse(query, readQuery(c, query), 'query') as z.output<Q>,
    })
  })
}

/** The query; a key that the route knows comes once, because a proxy in front may read another of two than we do. */
function readQuery(c: Context, schema: z.ZodObject | undefined): Record<string, string> {
  const twice = Object.keys(schema?.shape ?? {}).find(name => (c.req.queries(name)?.length ?? 0) > 1)
  if (twice !== undefined) refuse('input_invalid', `${twice}: came twice.`)
  return c.req.query()
}

/** Parses `value`, or refuses with one sentence that names the first field that is wrong. */
export function parse<S extends z.ZodType>(schema: S | undefined, value: unknown, where: string): z.output<S> {
  if (schema === undefined) return {} as z.output<S>
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const field = issue === undefined || issue.path.length === 0 ? where : issue.path.join('.')
  refuse('input_invalid', `${field}: ${wordsOfIssue(issue)}.`)
}

/** A JSON body of a documented request or response. */
export function json<S extends z.ZodType>(schema: S): { 'application/json': { schema: S } } {
  return { 'application/json': { schema } }
}
