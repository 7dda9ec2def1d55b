import { describe, expect, it, test } from 'vitest'
import { SurefootError } from '../core/failure.ts'
import type { Provider } from '../providers/contract.ts'
import { local } from '../providers/local/index.ts'
import type { Config, MigrationConfig, ModelConfig } from './config.ts'
import { parseConfig } from './parse-config.ts'
import { resolveConfig } from './resolve-config.ts'

const elsewhere: Provider = { ...local({ directory: '/nowhere' }), parseTarget: () => ({}) }
const way = { from: 'relief@modal', to: 'relief@replicate' }

function resolve(migration: unknown, model: Partial<ModelConfig> = {}) {
  const config = {
    providers: { modal: elsewhere, replicate: elsewhere },
    deployments: { 'relief@modal': {}, 'relief@replicate': {} },
    models: { relief: { route: ['relief@modal', 'relief@replicate'], ...model, migration } },
  }
  return resolveConfig(parseConfig(config, 'surefoot.config.ts') as Config, '/data').routes.get('surefoot/relief')
}

function refusal(migration: unknown, model: Partial<ModelConfig> = {}): string {
  try {
    resolve(migration, model)
  } catch (error) {
    if (SurefootError.is(error) && error.failure.fault === 'config') return error.failure.message
    throw error
  }
  throw new Error('it was taken')
}

describe('a migration', () => {
  it('has defaults for everything but its two ends', () => {
    expect(resolve(way)?.migration).toEqual({
      ...way,
      steps: [5, 25, 50, 100],
      shadow: { share: 0.1, runs: 10 },
      limits: { success: 'no-worse', slower: null, dearer: null, seconds: null, cost: null, differ: 0 },
      samples: 20,
    })
  })

  it('takes what is given', () => {
    const given: MigrationConfig = {
      ...way,
      steps: [1, 99.5, 100],
      shadow: { share: 1, runs: 0 },
      limits: { success: 0.9, slower: 2, dearer: 1.5, seconds: 60, cost: 0.05, differ: 0.1 },
      samples: 3,
    }
    expect(resolve(given)?.migration).toEqual(given)
  })

  it('is not there where nobody asks for it', () => expect(resolve(undefined)).not.toHaveProperty('migration'))
})

test.each<[string, unknown, string]>([
  ['no end', { from: 'relief@modal' }, 'models.relief.migration.to: is missing'],
  [
    'a deployment that is not on the route',
    { ...way, to: 'relief@local' },
    'models.relief.migration.to: "relief@local" is not on the route of the model.',
  ],
  ['a way to itself', { ...way, to: way.from }, 'leads from "relief@modal" to itself'],
  ['an unknown key', { ...way, step: [100] }, 'unknown key "models.relief.migration.step". Did you mean "steps"?'],
  [
    'an unknown limit',
    { ...way, limits: { sucess: 0.9 } },
    'unknown key "models.relief.migration.limits.sucess". Did you mean "success"?',
  ],
  ['an unknown key of the shadow', { ...way, shadow: { run: 1 } }, 'migration.shadow.run". Did you mean "runs"?'],
  ['steps that fall', { ...way, steps: [50, 25, 100] }, 'models.relief.migration.steps: do not rise from step to step'],
  ['steps that end early', { ...way, steps: [5, 50] }, 'models.relief.migration.steps: do not end with 100'],
  ['a step of nothing', { ...way, steps: [0, 100] }, 'models.relief.migration.steps.0: '],
  ['a share beyond proof', { ...way, limits: { success: 0.99 } }, 'limits.success: must be at most 0.98'],
  ['a success in words', { ...way, limits: { success: 'good' } }, 'is neither "no-worse" nor a share from 0 to 0.98'],
  ['too few samples', { ...way, samples: 2 }, 'models.relief.migration.samples: '],
])('refuses %s in one sentence', (_, migration, words) => expect(refusal(migration)).toContain(words))

test('refuses a routing of another kind beside it', () => {
  expect(refusal(way, { policy: { routing: 'cheapest' } })).toContain('policy.routing cannot be "cheapest"')
  expect(resolve(way, { policy: { routing: 'ordered' } })?.migration).toBeDefined()
})
