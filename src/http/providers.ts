import { z } from '@hono/zod-openapi'
import { refuse, SurefootError } from '../core/failure.ts'
import { recommend, type Wish } from '../core/recommend.ts'
import { enoughSamples } from '../core/statistics.ts'
import type { DeploymentReport } from '../engine/contract.ts'
import type { Health } from '../providers/contract.ts'
import type { App, AppDependencies } from './context.ts'
import { routeOf } from './creating.ts'
import { refuseHttp } from './errors.ts'
import { providersSchema } from './provider-schemas.ts'
import type { ProvidersJson, RecommendationJson } from './provider-shapes.ts'
import { toDeploymentView, toRecommendationView } from './provider-view.ts'
import { addRoute, json } from './route.ts'

const limit = (description: string) => z.coerce.number().positive().optional().openapi({ description })

/** Strict: a misspelt limit that is passed over would recommend what breaks it. */
const query = z.strictObject({
  model: z.string().optional().openapi({ description: 'Only deployments of this model, `owner/name`.' }),
  deployments: z
    .string()
    .optional()
    .openapi({ description: 'Only these deployments, by name, with commas in between.' }),
  prefer: z
    .enum(['cost', 'speed', 'reliability'])
    .optional()
    .openapi({ description: 'Recommends a deployment of each model.' }),
  max_cost_per_image: limit('USD for each finished image; with `prefer`.'),
  max_seconds: limit('Seconds in which nearly every result must be there; with `prefer`.'),
  health: z
    .literal('1')
    .optional()
    .openapi({ description: 'Asks providers about their queues and workers, for at most 5 seconds.' }),
})

/** The comparison: what traffic says about each deployment, and which one fits a wish. */
export function addProviders(app: App, deps: AppDependencies): void {
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/providers',
      summary: 'Compare deployments by what real traffic says, and recommend one',
      query,
      responses: { 200: { description: 'The comparison.', content: json(providersSchema) } },
    },
    async (c, request) => {
      const { model, deployments: wanted, health } = request.query
      const wish = readWish(request.query)
      if (model !== undefined && routeOf(deps, model) === undefined)
        refuseHttp('not_found', `There is no model ${model} here.`)
      const all = await deps.engine.report()
      const names = wanted?.split(',') ?? null
      for (const name of names ?? [])
        if (!all.some(report => report.name === name)) refuseHttp('not_found', `There is no deployment ${name} here.`)
      const reports = all.filter(
        report => (model === undefined || report.model === model) && (names === null || names.includes(report.name)),
      )
      const deployments = await Promise.all(
        reports.map(async report =>
          toDeploymentView(report, health === undefined ? null : await askHealth(deps, report.name)),
        ),
      )
      const models = wish === null ? [] : [...new Set(reports.map(report => report.model))]
      return c.json({
        enough_samples: enoughSamples,
        deployments,
        recommendations: models.flatMap(name => (wish === null ? [] : recommendFor(deps, reports, name, wish))),
      } satisfies ProvidersJson)
    },
  )
}

function readWish({ prefer, max_cost_per_image, max_seconds }: z.output<typeof query>): Wish | null {
  if (prefer !== undefined)
    return {
      prefer,
      ...(max_cost_per_image === undefined ? {} : { maxCostPerImage: max_cost_per_image }),
      ...(max_seconds === undefined ? {} : { maxSeconds: max_seconds }),
    }
  if (max_cost_per_image !== undefined || max_seconds !== undefined)
    refuse('input_invalid', 'prefer: say what to prefer, "cost", "speed" or "reliability", beside a limit.')
  return null
}

function recommendFor(
  deps: AppDependencies,
  reports: readonly DeploymentReport[],
  model: string,
  wish: Wish,
): RecommendationJson {
  const candidates = reports.filter(report => report.model === model)
  const recommendation = recommend(candidates, wish, routeOf(deps, model)?.model.stated ?? null)
  return toRecommendationView(model, wish, recommendation)
}

/** Never fails: a provider that cannot be asked is a piece of news too. */
async function askHealth({ engine, log }: AppDependencies, deployment: string): Promise<Health | null> {
  try {
    return await engine.health(deployment)
  } catch (error) {
    log('warn', 'a provider could not be asked for its health', { deployment, error: String(error) })
    const why = SurefootError.is(error) ? error.failure.message : 'It does not answer.'
    return { state: 'unknown', message: `The provider could not be asked. ${why}`, queued: null, workers: {} }
  }
}
