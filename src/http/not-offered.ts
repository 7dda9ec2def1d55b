import type { App } from './context.ts'
import { refuseHttp } from './errors.ts'

const training = 'Nothing is trained here; train at a provider and name the new version in the config.'
const byConfig = 'Models are named in surefoot.config.ts and read by GET /v1/models.'
const deployments =
  'Deployments are named in surefoot.config.ts; GET /v1/providers lists them, and POST /v1/deployments/{owner}/{model@provider}/predictions runs on one.'
const list = 'GET /v1/models lists all models that are here.'

/** What Replicate's API has and this one does not, and what to do instead (https://replicate.com/docs/reference/http). */
const notOffered: readonly (readonly [route: string, advice: string])[] = [
  ['POST /v1/models', byConfig],
  ['PATCH /v1/models/:owner/:name', byConfig],
  ['DELETE /v1/models/:owner/:name', byConfig],
  ['GET /v1/models/:owner/:name/readme', byConfig],
  ['GET /v1/models/:owner/:name/examples', byConfig],
  ['DELETE /v1/models/:owner/:name/versions/:version', byConfig],
  ['QUERY /v1/models', list],
  ['GET /v1/search', list],
  ['GET /v1/collections', list],
  ['GET /v1/collections/:slug', list],
  [
    'GET /v1/hardware',
    'Hardware is named in surefoot.config.ts; GET /v1/providers says what runs where, and its price.',
  ],
  ['POST /v1/models/:owner/:name/versions/:version/trainings', training],
  ['GET /v1/trainings', training],
  ['GET /v1/trainings/:id', training],
  ['POST /v1/trainings/:id/cancel', training],
  ['GET /v1/deployments', deployments],
  ['POST /v1/deployments', deployments],
  ['GET /v1/deployments/:owner/:name', deployments],
  ['PATCH /v1/deployments/:owner/:name', deployments],
  ['DELETE /v1/deployments/:owner/:name', deployments],
  [
    'GET /v1/predictions/:id/stream',
    'Outputs are files and are not streamed; GET /v1/predictions/{id}/events follows a prediction.',
  ],
]

/** Answers 404 with advice to what clients of Replicate's may ask for and will not find: the published ones repeat a 501. */
export function addNotOffered(app: App): void {
  for (const [route, advice] of notOffered) {
    const [method = '', path = ''] = route.split(' ')
    app.on(method, path, () => refuseHttp('not_offered', `Replicate has this, Surefoot has not. ${advice}`))
  }
}
