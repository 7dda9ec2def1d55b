import { createHash } from 'node:crypto'
import { json } from '../answers.ts'
import { type Settings, tell } from '../settings.ts'
import { problem } from './answers.ts'

/** Calls that `settings` can change: `model`, `version`, `deployment`. */
export interface ModelOptions {
  readonly settings: Settings | undefined
  /** How the addresses in answers begin. */
  readonly origin: string
  readonly runs: number
}

const missing = () => problem(404, 'The requested resource could not be found.')
const words = { answer: json, refuse: (status: number) => (status === 404 ? missing() : problem(status, 'Refused.')) }

/** Every well-formed model exists, is an official one, and takes any input. */
export function readModel(
  { settings, origin, runs }: ModelOptions,
  [owner, name, what, version]: readonly (string | undefined)[],
): Response {
  if (owner === undefined) return json({ next: null, previous: null, results: [] })
  if (name === undefined) return missing()
  const shown = (id: string) => ({
    id,
    created_at: '2026-01-01T00:00:00.000Z',
    cog_version: '0.22.0',
    openapi_schema: { openapi: '3.0.2', components: { schemas: { Input: { type: 'object', properties: {} } } } },
  })
  const latest = shown(createHash('sha256').update(`${owner}/${name}`).digest('hex'))
  if (what === 'versions' && version === undefined) return json({ next: null, previous: null, results: [latest] })
  if (what === 'versions' && version !== undefined) return tell(settings, 'version', shown(version), words)
  if (what !== undefined) return missing()
  const model = {
    url: `${origin}/${owner}/${name}`,
    owner,
    name,
    description: 'An emulated model.',
    visibility: 'public',
    is_official: true,
    run_count: runs,
    latest_version: latest,
  }
  return tell(settings, 'model', model, words)
}

/** Every deployment exists, and scales from zero. `settings.deployment` is laid over its release's configuration. */
export function readDeployment({ settings }: Pick<ModelOptions, 'settings'>, owner = '', name = ''): Response {
  const configuration = { hardware: 'gpu-l40s', min_instances: 0, max_instances: 5 }
  const release = {
    number: 1,
    model: `${owner}/${name}`,
    version: createHash('sha256').update(`${owner}/${name}`).digest('hex'),
    created_at: '2026-01-01T00:00:00.000Z',
    created_by: { type: 'user', username: 'emulated', name: 'Emulated Account' },
  }
  return tell(settings, 'deployment', configuration, {
    ...words,
    answer: body => json({ owner, name, current_release: { ...release, configuration: body } }),
  })
}
