import { randomUUID } from 'node:crypto'
import { OpenAPIHono } from '@hono/zod-openapi'
import { routePath } from 'hono/route'
import { addBrowserUploads } from './browser-uploads.ts'
import type { App, AppDependencies, Context, Env, Mounted } from './context.ts'
import { createDoor, type Door } from './door.ts'
import { refuseHttp, toErrorResponse } from './errors.ts'
import { addEvents } from './events.ts'
import { addFiles } from './files.ts'
import { addHealth } from './health.ts'
import { addMetrics } from './metrics.ts'
import { addMigrations } from './migrations.ts'
import { addModels } from './models.ts'
import { addNotOffered } from './not-offered.ts'
import { addOpenApi } from './openapi.ts'
import { addPredictions } from './predictions.ts'
import { addProviders } from './providers.ts'
import { createRequestTally } from './request-tally.ts'
import { guard, secureHeaders } from './safety.ts'
import { addSentWebhooks } from './sent-webhooks.ts'
import { addStudio } from './studio.ts'
import { addTokens } from './token-routes.ts'
import { addUploads } from './uploads.ts'
import { addWarm } from './warm.ts'
import { addWebhooks } from './webhooks.ts'

/**
 * The HTTP front as a function from Request to Response: Replicate's API, files, events, the Studio page. It opens
 * nothing and has no state of its own but what it counts.
 *
 * @example
 * const app = createApp({ engine, store, files, signer, clock, publicUrl: null, studio: null, allowedHosts, log })
 * const response = await app.fetch(new Request('http://127.0.0.1:8787/v1/models'))
 */
export function createApp(deps: AppDependencies): {
  /** `mounted` says what holds for this request where another app passes it on. */
  fetch(request: Request, mounted?: Mounted): Promise<Response>
  readonly recognise: Door['recognise']
} {
  const app: App = new OpenAPIHono<Env>()
  const door = createDoor(deps)
  const requests = createRequestTally()
  app.use(async (c, next) => {
    c.set('requestId', givenId(c) ?? randomUUID())
    c.set('door', door)
    const startedAt = deps.clock.now()
    await next()
    // The pattern, not the path: paths and queries carry secrets and signatures.
    const answered = {
      method: c.req.method,
      route: routePath(c, -1),
      status: c.res.status,
      ms: deps.clock.now() - startedAt,
    }
    requests.add(answered)
    deps.log('info', 'request', { requestId: c.get('requestId'), ...answered })
  })
  app.use(secureHeaders)
  app.use(guard(deps))
  // A caller that goes away aborts its request with a string for a reason; Hono handles errors only and passes it by.
  app.use(async (_, next) => {
    await next().catch((error: unknown) => {
      throw error instanceof Error ? error : new Error(String(error))
    })
  })

  addPredictions(app, deps)
  const openStreams = addEvents(app, deps)
  addFiles(app, deps)
  addBrowserUploads(app, deps)
  addUploads(app, deps)
  addWebhooks(app, deps)
  addSentWebhooks(app, deps)
  addModels(app, deps)
  addProviders(app, deps)
  addMigrations(app, deps)
  addWarm(app, deps)
  addTokens(app, deps)
  addHealth(app, deps)
  addMetrics(app, deps, { requests, openStreams })
  addOpenApi(app)
  addNotOffered(app)
  addStudio(app, deps)

  const methods = methodsByPath(app)
  app.notFound(async c => {
    await door.admit(c, 'any')
    const allowed = methods.filter(({ pattern }) => pattern.test(c.req.path)).map(({ method }) => method)
    if (allowed.length === 0) return refuseHttp('not_found', 'There is no such address here.')
    const allow = [...new Set(allowed)].join(', ')
    return refuseHttp('method_not_allowed', `This address takes ${allow} only.`, { allow })
  })
  app.onError((error, c) => toErrorResponse(c, error, deps.log))
  return {
    recognise: door.recognise,
    fetch: async (request, mounted) => app.fetch(request, mounted === undefined ? {} : { mounted }),
  }
}

/** What a proxy or a client calls the request, where that can stand in a log. */
function givenId(c: Context): string | null {
  return /^[\w.-]{1,64}$/.exec(c.req.header('x-request-id') ?? '')?.[0] ?? null
}

/** Which methods each route takes, to tell a wrong method from a wrong address. */
function methodsByPath(app: App): readonly { readonly pattern: RegExp; readonly method: string }[] {
  return app.openAPIRegistry.definitions.flatMap(definition =>
    definition.type === 'route'
      ? [
          {
            pattern: new RegExp(`^${definition.route.path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
            method: definition.route.method.toUpperCase(),
          },
        ]
      : [],
  )
}
