import { z } from '@hono/zod-openapi'
import type { Model } from '../models/contract.ts'
import type { App, AppDependencies } from './context.ts'
import { routeOf } from './creating.ts'
import { refuseHttp } from './errors.ts'
import { addRoute, json } from './route.ts'
import { modelSchema, pageSchema, versionSchema } from './schemas.ts'
import type { ModelJson, PageJson, VersionJson } from './shapes.ts'

const modelParams = z.object({ owner: z.string(), name: z.string() })
const one = { description: 'The model.', content: json(modelSchema) }

/** Models and their versions (one each), and the account, in Replicate's shapes. */
export function addModels(app: App, deps: AppDependencies): void {
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/models',
      summary: 'List models',
      responses: { 200: { description: 'All models.', content: json(pageSchema(modelSchema)) } },
    },
    c => {
      const models = [...deps.engine.routes.values()].map(({ model }) => toModelView(model, c.get('origin')))
      return c.json(toSinglePage(models))
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/models/{owner}/{name}',
      summary: 'Get a model',
      params: modelParams,
      responses: { 200: one },
    },
    (c, { params }) => c.json(toModelView(find(deps, params), c.get('origin'))),
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/models/{owner}/{name}/versions',
      summary: "List a model's versions",
      params: modelParams,
      responses: { 200: { description: 'The one version.', content: json(pageSchema(versionSchema)) } },
    },
    (c, { params }) => c.json(toSinglePage([toVersionView(find(deps, params))])),
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/models/{owner}/{name}/versions/{version}',
      summary: "Get a model's version",
      params: modelParams.extend({ version: z.string() }),
      responses: { 200: { description: 'The version.', content: json(versionSchema) } },
    },
    (c, { params: { version, ...name } }) => {
      const model = find(deps, name)
      if (model.version !== version) refuseHttp('not_found', `${model.name} has no version ${version} here.`)
      return c.json(toVersionView(model))
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/account',
      summary: 'Who the caller is',
      responses: {
        200: {
          description: 'The account.',
          content: json(z.object({ type: z.literal('user'), username: z.string(), name: z.string() })),
        },
      },
    },
    c => c.json({ type: 'user', username: c.get('caller').owner, name: 'Surefoot' }),
  )
}

function find(deps: AppDependencies, { owner, name }: { readonly owner: string; readonly name: string }): Model {
  const model = routeOf(deps, `${owner}/${name}`)?.model
  return model ?? refuseHttp('not_found', `There is no model ${owner}/${name} here.`)
}

function toModelView(model: Model, origin: string): ModelJson {
  const [owner = '', name = ''] = model.name.split('/')
  return {
    url: `${origin}/v1/models/${model.name}`,
    owner,
    name,
    description: model.description,
    visibility: 'private',
    github_url: null,
    paper_url: null,
    license_url: null,
    run_count: 0,
    cover_image_url: null,
    default_example: null,
    latest_version: toVersionView(model),
  }
}

/**
 * Replicate's clients refuse a version without `created_at` and `cog_version`. A version here is a digest, not an
 * upload: it has no moment of creation and no Cog, so they say so (1970, empty).
 */
function toVersionView({ version, inputSchema, name, description }: Model): VersionJson {
  return {
    id: version,
    created_at: new Date(0).toISOString(),
    cog_version: '',
    openapi_schema: {
      openapi: '3.1.0',
      info: { title: name, description, version },
      paths: {},
      components: { schemas: { Input: inputSchema, Output: { type: 'string', format: 'uri', title: 'Output' } } },
    },
  }
}

function toSinglePage<T>(results: readonly T[]): PageJson<T> {
  return { next: null, previous: null, results }
}
