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

/** `GET /account`. */
export interface AccountView {
  readonly type: 'user' | 'organization'
  readonly username: string
  readonly name: string
}

/** An item of `GET /hardware`. */
export interface HardwareView {
  readonly name: string
  readonly sku: string
}

export interface VersionView {
  readonly id: string
  readonly created_at: string
  readonly cog_version: string
  readonly openapi_schema: object
}

export interface ModelView {
  readonly url: string
  readonly owner: string
  readonly name: string
  readonly description: string
  readonly visibility: 'public' | 'private'
  readonly is_official: boolean
  readonly run_count: number
  readonly latest_version: VersionView
}

export interface DeploymentView {
  readonly owner: string
  readonly name: string
  readonly current_release: {
    readonly number: number
    readonly model: string
    readonly version: string
    readonly created_at: string
    readonly created_by: AccountView
    readonly configuration: ConfigurationView
  }
}

interface ConfigurationView {
  readonly hardware: string
  readonly min_instances: number
  readonly max_instances: number
}

/** A page of any list. */
export interface PageView<Item> {
  readonly next: string | null
  readonly previous: string | null
  readonly results: readonly Item[]
}

export const account: AccountView = { type: 'user', username: 'emulated', name: 'Emulated Account' }
export const hardware: readonly HardwareView[] = [
  { name: 'CPU', sku: 'cpu' },
  { name: 'Nvidia L40S GPU', sku: 'gpu-l40s' },
  { name: 'Nvidia A100 (80GB) GPU', sku: 'gpu-a100-large' },
]

const missing = () => problem(404, 'The requested resource could not be found.')
const words = { answer: json, refuse: (status: number) => (status === 404 ? missing() : problem(status, 'Refused.')) }

/** Every well-formed model exists, is an official one, and takes any input. */
export function readModel(
  { settings, origin, runs }: ModelOptions,
  [owner, name, what, version]: readonly (string | undefined)[],
): Response {
  if (owner === undefined) return json({ next: null, previous: null, results: [] })
  if (name === undefined) return missing()
  const shown = (id: string): VersionView => ({
    id,
    created_at: '2026-01-01T00:00:00.000Z',
    cog_version: '0.22.0',
    openapi_schema: { openapi: '3.0.2', components: { schemas: { Input: { type: 'object', properties: {} } } } },
  })
  const latest = shown(createHash('sha256').update(`${owner}/${name}`).digest('hex'))
  if (what === 'versions' && version === undefined) return json({ next: null, previous: null, results: [latest] })
  if (what === 'versions' && version !== undefined) return tell(settings, 'version', shown(version), words)
  if (what !== undefined) return missing()
  const model: ModelView = {
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
  const configuration: ConfigurationView = { hardware: 'gpu-l40s', min_instances: 0, max_instances: 5 }
  const release: Omit<DeploymentView['current_release'], 'configuration'> = {
    number: 1,
    model: `${owner}/${name}`,
    version: createHash('sha256').update(`${owner}/${name}`).digest('hex'),
    created_at: '2026-01-01T00:00:00.000Z',
    created_by: account,
  }
  return tell(settings, 'deployment', configuration, {
    ...words,
    answer: body => json({ owner, name, current_release: { ...release, configuration: body } }),
  })
}
