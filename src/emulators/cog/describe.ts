import { json } from '../answers.ts'
import { type Settings, tell } from '../settings.ts'
import type { CogVersion } from './run.ts'

const words = {
  answer: json,
  refuse: (status: number) => json({ error: 'OpenAPI schema not available' }, status),
}

/** `GET /`. */
export function describeServer(settings: Settings | undefined, version: CogVersion): Response {
  const cog_version = version === 'coglet' ? '0.23.1' : '0.16.12'
  return tell(settings, 'root', { cog_version, predictions_url: '/predictions' }, words)
}

/** `GET /openapi.json`: 503, as where no image was built, unless the settings of `openapi` give the model's `Input`. */
export function describeModel(settings: Settings | undefined): Response {
  if (settings?.openapi === undefined) return words.refuse(503)
  return tell(
    settings,
    'openapi',
    {},
    {
      ...words,
      answer: body => json({ openapi: '3.0.2', components: { schemas: { Input: body } } }),
    },
  )
}
