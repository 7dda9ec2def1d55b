import { expect, test } from 'vitest'
import { createAttempt } from '../core/attempt.ts'
import { createFailure, SurefootError } from '../core/failure.ts'
import { type MigrationPlan, startMigration } from '../core/migration.ts'
import { summarizePairs } from '../core/migration-pairs.ts'
import { measure } from '../core/statistics.ts'
import type { DeploymentReport, Engine, MigrationReport } from '../engine/contract.ts'
import { migrationSchema, migrationsSchema } from './migration-schemas.ts'
import type { PageJson, PredictionJson } from './shapes.ts'
import { setup } from './test-support.ts'

const plan: MigrationPlan = {
  from: 'sketch@modal',
  to: 'sketch@replicate',
  steps: [5, 100],
  shadow: { share: 0.1, runs: 10 },
  limits: { success: 'no-worse', slower: 2, dearer: null, seconds: null, cost: null, differ: 0 },
  samples: 20,
}
const side = { succeeded: true, seconds: 9, cost: 0.01 }
const pairs = [{ prediction: 'p', shadow: 's', from: side, to: side, differences: ['100 splats against 50'] }]
const report: MigrationReport = {
  model: 'acme/sketch',
  state: startMigration(plan, 0, 'The configuration asks for it.'),
  verdict: { kind: 'stay', missing: ['9 more compared pairs (1 of 10)'] },
  configured: true,
  from: { name: plan.from, percent: 100, attempts: 30, measured: measure([]) },
  to: { name: plan.to, percent: 0, attempts: 1, measured: measure([]) },
  pairs,
  summary: summarizePairs(pairs),
}

const deployment: Omit<DeploymentReport, 'name' | 'breaker'> = {
  ...{
    model: 'acme/sketch',
    providerName: 'p',
    kind: 'k',
    measured: measure([]),
    pricePerSecond: null,
    pricesAsOf: null,
  },
  ...{ billed: false, routed: true, concurrency: 1 },
}

/** A front whose engine has this one migration. */
async function setupMigration(over: Partial<Engine> = {}) {
  const { deps } = await setup()
  const asked: string[] = []
  const front = await setup({
    engine: {
      ...deps.engine,
      migrations: async () => [report],
      report: async () => [
        {
          ...deployment,
          name: plan.from,
          breaker: { state: 'open', until: 30_000, why: '3 attempts in a row failed.' },
        },
        { ...deployment, name: plan.to, breaker: { state: 'half-open', why: '3 attempts in a row failed.' } },
      ],
      async migrate(model, action) {
        asked.push(`${model} ${action}`)
        return report
      },
      ...over,
    },
  })
  return { ...front, asked }
}

test('where a migration stands is told with its plan, both sides, pairs, what is missing and what happened', async () => {
  const { send } = await setupMigration()
  const response = await send('/v1/migrations')
  expect(response.status).toBe(200)
  const body = await response.json()
  expect(migrationsSchema.safeParse(body).error).toBeUndefined()
  expect(body).toEqual({
    migrations: [
      {
        model: 'acme/sketch',
        plan,
        stage: 'shadow',
        step: null,
        since: '1970-01-01T00:00:00.000Z',
        paused: false,
        configured: true,
        from: {
          deployment: plan.from,
          ...{
            percent: 100,
            attempts: 30,
            out: { until: '1970-01-01T00:00:30.000Z', why: '3 attempts in a row failed.' },
          },
          measured: expect.objectContaining({ samples: 0, success: null }),
        },
        to: {
          deployment: plan.to,
          ...{ percent: 0, attempts: 1, out: null },
          measured: expect.objectContaining({ samples: 0, cost_per_image: null }),
        },
        pairs: {
          ...{ compared: 1, both: 1, only_from: 0, only_to: 0, neither: 0, differ: 1 },
          ...{ seconds: { from: 9, to: 9 }, cost: { from: 0.01, to: 0.01 }, latest: pairs },
        },
        verdict: { kind: 'stay', why: null, missing: ['9 more compared pairs (1 of 10)'] },
        history: [{ at: '1970-01-01T00:00:00.000Z', what: 'shadow', why: 'The configuration asks for it.' }],
      },
    ],
  })
})

test.each(['pause', 'resume', 'advance', 'rollback'])('a person may %s it', async action => {
  const { post, asked } = await setupMigration()
  const response = await post(`/v1/migrations/acme/sketch/${action}`, {})
  expect(response.status).toBe(200)
  expect(migrationSchema.safeParse(await response.json()).error).toBeUndefined()
  expect(asked).toEqual([`acme/sketch ${action}`])
})

test('what cannot be done is refused: an unknown action, an unknown model, and what makes no sense there', async () => {
  const no = (status: number) => () => {
    throw new SurefootError(createFailure('input_invalid', 'No.'), { status })
  }
  const { post, asked } = await setupMigration()
  expect((await post('/v1/migrations/acme/sketch/hurry', {})).status).toBe(422)
  expect(asked).toEqual([])
  for (const status of [404, 409]) {
    const front = await setupMigration({ migrate: no(status) })
    const response = await front.post('/v1/migrations/acme/sketch/advance', {})
    expect([response.status, await response.json()]).toMatchObject([status, { detail: 'No.', code: 'input_invalid' }])
  }
})

test('no page of another site may move traffic', async () => {
  const { post, send, asked } = await setupMigration()
  const path = '/v1/migrations/acme/sketch/rollback'
  expect((await post(path, {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await post(path, {}, { origin: 'http://127.0.0.1:3000' })).status).toBe(403)
  expect((await send(path)).status).toBe(405)
  expect(asked).toEqual([])
})

test('the OpenAPI document has both addresses', async () => {
  const { send } = await setupMigration()
  const { paths } = (await (await send('/openapi.json')).json()) as { paths: object }
  expect(Object.keys(paths).filter(path => path.includes('migrations'))).toEqual([
    '/v1/migrations',
    '/v1/migrations/{owner}/{name}/{action}',
  ])
})

test('a shadow run is shown to whoever owns its original, by id only, as what it is, and without its output', async () => {
  const { add, send } = await setup()
  const output = { key: 'k', name: 'scene.ply', mediaType: 'x/y', bytes: 3, sha256: '', facts: { count: 1 } }
  const attempts = [{ ...createAttempt('a', 1, 'sketch@replicate', 0), state: 'won' } as const]
  const shadow = { owner: 'shadow:acme/sketch', status: 'succeeded', output, attempts } as const
  await add({ id: 'mine' })
  await add({ id: 'copy', ...shadow, shadowOf: 'mine' })
  await add({ id: 'theirs', owner: 'somebody' })
  await add({ id: 'hidden', ...shadow, shadowOf: 'theirs' })
  await add({ id: 'orphan', ...shadow, shadowOf: 'nothing' })
  const { results } = (await (await send('/v1/predictions')).json()) as PageJson<PredictionJson>
  expect(results.map(({ id }) => id)).toEqual(['mine'])
  expect((await send('/v1/predictions/copy/attempts')).status).toBe(200)
  expect(await (await send('/v1/predictions/copy')).json()).toMatchObject({
    output: null,
    surefoot: { shadow_of: 'mine', output: { facts: { count: 1 } } },
  })
  for (const id of ['hidden', 'orphan']) expect((await send(`/v1/predictions/${id}`)).status).toBe(404)
})
