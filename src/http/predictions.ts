import { z } from '@hono/zod-openapi'
import { isTerminal } from '../core/prediction.ts'
import type { StoredPrediction } from '../store/contract.ts'
import { type App, type AppDependencies, type Context, endsOf } from './context.ts'
import { createPrediction, routeOf, routeOfDeployment } from './creating.ts'
import { refuseHttp } from './errors.ts'
import { createHeaders, readPrefer } from './headers.ts'
import { createLinks } from './links.ts'
import { cursorQuery, pageSize, parseCursor, toCursor, toPage } from './paging.ts'
import { addRoute, json } from './route.ts'
import { attemptsSchema, createForModelSchema, createSchema, pageSchema, predictionSchema } from './schemas.ts'
import type { PredictionJson } from './shapes.ts'
import { toAttemptsView, toPredictionView } from './view.ts'

const idParams = z.object({ id: z.string() })
const modelParams = z.object({ owner: z.string(), name: z.string() })
const prediction = { description: 'The prediction.', content: json(predictionSchema) }
const created = {
  201: { description: 'Created; with `Prefer: wait`, ended.', content: json(predictionSchema) },
  202: { description: 'Created; the wait ran out first.', content: json(predictionSchema) },
}

/** Predictions: create in three forms, get, list, cancel, attempts. */
export function addPredictions(app: App, deps: AppDependencies): void {
  const { engine } = deps

  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/predictions',
      summary: 'Create a prediction by version or model',
      headers: createHeaders,
      body: { content: { ...json(createSchema), ...form(createSchema) } },
      responses: created,
    },
    c => create(deps, c, null, null),
  )
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/models/{owner}/{name}/predictions',
      summary: 'Create a prediction of a model',
      params: modelParams,
      headers: createHeaders,
      body: { content: { ...json(createForModelSchema), ...form(createForModelSchema) } },
      responses: created,
    },
    (c, { params: { owner, name } }) => {
      const route = routeOf(deps, `${owner}/${name}`)
      if (route === undefined) refuseHttp('not_found', `There is no model ${owner}/${name} here.`)
      return create(deps, c, route, null)
    },
  )
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/deployments/{owner}/{name}/predictions',
      summary:
        "Create a prediction on one deployment: its model's owner, and its name as in the config, `model@provider`",
      params: modelParams,
      headers: createHeaders,
      body: { content: { ...json(createForModelSchema), ...form(createForModelSchema) } },
      responses: created,
    },
    (c, { params: { owner, name } }) => {
      const route = routeOfDeployment(deps, owner, name)
      if (route === undefined)
        refuseHttp(
          'not_found',
          `There is no deployment ${name} of a model of ${owner} here; GET /v1/providers lists all.`,
        )
      return create(deps, c, route, name)
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/predictions',
      summary: 'List predictions, newest first, 100 a page',
      query: z.object({
        cursor: cursorQuery,
        created_after: z.iso.datetime({ offset: true, error: 'is not an ISO 8601 date and time' }).optional(),
        created_before: z.iso.datetime({ offset: true, error: 'is not an ISO 8601 date and time' }).optional(),
        owner: z
          .string()
          .optional()
          .openapi({ description: "With the scope `admin`: another owner's, or `all`. Default: the caller's own." }),
      }),
      responses: { 200: { description: 'A page.', content: json(pageSchema(predictionSchema)) } },
    },
    async (c, { query: { cursor, created_after, created_before, owner } }) => {
      const rows = await engine.list({
        owner: readOwner(c, owner),
        limit: pageSize + 1,
        ...(cursor === undefined ? {} : { before: parseCursor(cursor) }),
        ...(created_after === undefined ? {} : { createdAfter: Date.parse(created_after) }),
        ...(created_before === undefined ? {} : { createdBefore: Date.parse(created_before) }),
      })
      return c.json(
        toPage(rows, {
          view: viewOf(deps, c),
          next({ record }) {
            const url = new URL(`${c.get('origin')}/v1/predictions`)
            if (created_after !== undefined) url.searchParams.set('created_after', created_after)
            if (owner !== undefined) url.searchParams.set('owner', owner)
            if (created_before !== undefined) url.searchParams.set('created_before', created_before)
            url.searchParams.set('cursor', toCursor(record))
            return url.href
          },
        }),
      )
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/predictions/{id}',
      summary: 'Get a prediction',
      params: idParams,
      responses: { 200: prediction },
    },
    async (c, { params }) => c.json(viewOf(deps, c)(await findPrediction(deps, c, params.id))),
  )
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/predictions/{id}/cancel',
      summary: 'Ask for the end of a prediction; a finished one stays what it was',
      params: idParams,
      responses: { 200: prediction },
    },
    async (c, { params }) => {
      await findPrediction(deps, c, params.id)
      return c.json(viewOf(deps, c)((await engine.cancel(params.id)) ?? missing(params.id)))
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/predictions/{id}/attempts',
      summary: 'What was tried for a prediction, and why',
      params: idParams,
      responses: { 200: { description: 'Attempts and decisions.', content: json(attemptsSchema) } },
    },
    async (c, { params }) => c.json(toAttemptsView(await findPrediction(deps, c, params.id))),
  )
}

/** The caller's prediction, or a shadow run of one, or 404: the same for one that is not there and for somebody else's. */
export async function findPrediction(deps: AppDependencies, c: Context, id: string): Promise<StoredPrediction> {
  const { owner, seesAll } = c.get('caller')
  return (await (seesAll ? deps.engine.get(id) : deps.engine.get(id, owner))) ?? missing(id)
}

/** Whose predictions a list is about; null for everybody's. */
export function readOwner(c: Context, asked: string | undefined): string | null {
  const { owner, seesAll } = c.get('caller')
  if (asked === undefined || asked === owner) return owner
  if (!seesAll) refuseHttp('scope_missing', 'Lists of others\' predictions need a token with the scope "admin".')
  return asked === 'all' ? null : asked
}

/** How this caller sees predictions: links on the origin that it used. */
export function viewOf(deps: AppDependencies, c: Context): (stored: StoredPrediction) => PredictionJson {
  const links = createLinks(deps, c.get('origin'))
  return stored => {
    const model = routeOf(deps, stored.record.model)?.model
    const derivatives = model?.derives === undefined ? undefined : deps.derivatives
    const { owner } = stored.record
    const isOthers = owner !== c.get('caller').owner
    return toPredictionView(stored, { links, notice: model?.notice ?? null, derivatives, ...(isOthers && { owner }) })
  }
}

async function create(
  deps: AppDependencies,
  c: Context,
  model: Parameters<typeof createPrediction>[2],
  deployment: string | null,
) {
  const holdMs = readPrefer(c)
  const first = await createPrediction(deps, c, model, deployment)
  const last = holdMs === 0 ? first : await hold(deps, c, first, holdMs)
  const view = viewOf(deps, c)(last)
  if (holdMs === 0 || isTerminal(last.record.status)) return c.json(view, 201)
  // The published client takes every status but `starting` for the end of a held request, so a prediction that
  // outlives the hold says `starting` here even where it is processing. Replicate answers the same way.
  return c.json({ ...view, status: 'starting' }, 202)
}

/** Waits for the end of a prediction, for `holdMs`, for the caller to go away or for the server to close. */
async function hold(deps: AppDependencies, c: Context, first: StoredPrediction, holdMs: number) {
  const timeout = new AbortController()
  const stopTimer = deps.clock.after(holdMs, () => timeout.abort())
  const signals = [timeout.signal, ...endsOf(c, deps)]
  let last = first
  try {
    for await (const stored of deps.engine.watch(first.record.id, { signal: AbortSignal.any(signals) })) last = stored
  } finally {
    stopTimer()
  }
  return last
}

function form<S extends z.ZodType>(schema: S) {
  return { 'multipart/form-data': { schema } }
}

function missing(id: string): never {
  return refuseHttp('not_found', `There is no prediction ${id} here.`)
}
