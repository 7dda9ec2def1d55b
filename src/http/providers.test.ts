import { expect, test } from 'vitest'
import { createFailure, SurefootError } from '../core/failure.ts'
import { type AttemptFact, measure } from '../core/statistics.ts'
import type { DeploymentReport, Engine } from '../engine/contract.ts'
import { providersSchema } from './provider-schemas.ts'
import type { ProvidersJson } from './provider-shapes.ts'
import { setup } from './test-support.ts'

const won: AttemptFact = {
  deployment: 'sketch@runpod',
  state: 'won',
  failure: null,
  plannedAt: 0,
  submittedAt: 0,
  bootingAt: 1_000,
  runningAt: 3_500,
  collectingAt: 8_500,
  endedAt: 9_500,
  restarts: 0,
  closedUntil: null,
  cost: 0.01,
}

function report(name: string, over: Partial<DeploymentReport> = {}): DeploymentReport {
  return {
    name,
    model: 'acme/sketch',
    providerName: name.split('@')[1] ?? '',
    kind: 'runpod',
    measured: measure([]),
    breaker: { state: 'closed' },
    pricePerSecond: 0.001,
    pricesAsOf: '2026-06-08',
    billed: true,
    routed: true,
    concurrency: 4,
    ...over,
  }
}

/** A front whose engine reports these deployments. */
async function setupReports(reports: readonly DeploymentReport[], over: Partial<Engine> = {}) {
  const { deps } = await setup()
  const front = await setup({ engine: { ...deps.engine, report: async () => reports, ...over } })
  const get = async (path: string) => {
    const response = await front.send(path)
    expect(response.status).toBe(200)
    const body = (await response.json()) as ProvidersJson
    expect(providersSchema.safeParse(body).error).toBeUndefined()
    return body
  }
  return { ...front, get }
}

test('what was measured is told in seconds, with the parts of the time and with the cost of failures', async () => {
  const facts = [...Array<AttemptFact>(9).fill(won), { ...won, state: 'failed', failure: 'stalled' } as const]
  const { get } = await setupReports([report('sketch@runpod', { measured: measure(facts) })])
  const { deployments, recommendations, enough_samples } = await get('/v1/providers')
  expect({ recommendations, enough_samples }).toEqual({ recommendations: [], enough_samples: 8 })
  const spread = (seconds: number) => ({ samples: 9, p50: seconds, p95: seconds, p99: seconds })
  expect(deployments).toEqual([
    {
      name: 'sketch@runpod',
      model: 'acme/sketch',
      provider: 'runpod',
      kind: 'runpod',
      routed: true,
      billed: true,
      concurrency: 4,
      price: { per_second: 0.001, as_of: '2026-06-08' },
      breaker: { state: 'closed', until: null, why: null },
      measured: {
        samples: 10,
        won: 9,
        success: { rate: 0.9, low: expect.closeTo(0.596, 3), high: expect.closeTo(0.982, 3) },
        total: spread(9.5),
        queue: spread(1),
        boot: spread(2.5),
        run: spread(5),
        collect: spread(1),
        cost_per_image: expect.closeTo(0.1 / 9, 9),
        unpriced: 0,
        stalls: 1,
        restarts: 0,
      },
      health: null,
    },
  ])
})

test('a deployment without traffic has no figures, not zeros; an open breaker says until when and why', async () => {
  const { get } = await setupReports([
    report('sketch@new', { pricePerSecond: null, pricesAsOf: null }),
    report('sketch@broken', { breaker: { state: 'open', until: 60_000, why: '3 attempts in a row failed.' } }),
  ])
  const { deployments } = await get('/v1/providers')
  expect(deployments[0]).toMatchObject({
    price: null,
    measured: { samples: 0, success: null, total: null, run: null, cost_per_image: null },
  })
  expect(deployments[1]?.breaker).toEqual({
    state: 'open',
    until: '1970-01-01T00:01:00.000Z',
    why: '3 attempts in a row failed.',
  })
})

test('a wish is answered for each model, with limits', async () => {
  const { get } = await setupReports([
    report('sketch@dear', { measured: measure(Array<AttemptFact>(8).fill({ ...won, cost: 0.5 })) }),
    report('sketch@cheap', { measured: measure(Array<AttemptFact>(8).fill(won)) }),
    report('other@cheap', { model: 'acme/other' }),
  ])
  const { recommendations } = await get('/v1/providers?prefer=cost')
  expect(recommendations.map(({ model, deployment, basis }) => [model, deployment, basis])).toEqual([
    ['acme/sketch', 'sketch@cheap', 'measured'],
    // Nobody has said how long a run takes there, so nothing can be worked out.
    ['acme/other', 'other@cheap', null],
  ])
  expect(recommendations[0]?.ranking[0]).toEqual({
    name: 'sketch@cheap',
    cost: { value: 0.01, basis: 'measured' },
    seconds: { value: 9.5, basis: 'measured' },
    slow_seconds: { value: 9.5, basis: 'measured' },
    reliability: { value: expect.closeTo(0.676, 3), basis: 'measured' },
    excluded: null,
  })
  const strict = await get('/v1/providers?prefer=speed&max_seconds=5&max_cost_per_image=0.1&model=acme/sketch')
  expect(strict.recommendations).toMatchObject([{ model: 'acme/sketch', prefer: 'speed', deployment: null }])
  expect(strict.deployments.map(({ name }) => name)).toEqual(['sketch@dear', 'sketch@cheap'])
})

test('deployments that were not named are neither told nor recommended, however good they are', async () => {
  const { get } = await setupReports([
    report('sketch@cheap', { measured: measure(Array<AttemptFact>(8).fill(won)) }),
    report('sketch@dear', { measured: measure(Array<AttemptFact>(8).fill({ ...won, cost: 0.5 })) }),
    report('sketch@dearest', { measured: measure(Array<AttemptFact>(8).fill({ ...won, cost: 0.9 })) }),
  ])
  const { deployments, recommendations } = await get('/v1/providers?prefer=cost&deployments=sketch@dearest,sketch@dear')
  expect(deployments.map(({ name }) => name)).toEqual(['sketch@dear', 'sketch@dearest'])
  expect(recommendations[0]?.deployment).toBe('sketch@dear')
  expect(recommendations[0]?.ranking.map(({ name }) => name)).toEqual(['sketch@dear', 'sketch@dearest'])
})

test('providers are asked for their health only when the query says so, and may fail to answer', async () => {
  const asked: string[] = []
  const health = { state: 'crash-loop', message: 'Workers die.', queued: 3, workers: { unhealthy: 2 } } as const
  const { get, logged } = await setupReports(
    ['a', 'b', 'c', 'd'].map(name => report(`sketch@${name}`)),
    {
      async health(name) {
        asked.push(name)
        if (name === 'sketch@b') return null
        if (name === 'sketch@c') throw new SurefootError(createFailure('auth_rejected', 'The key is wrong.'))
        if (name === 'sketch@d') throw new Error('secret: took longer than 5000 ms')
        return health
      },
    },
  )
  await get('/v1/providers')
  expect(asked).toEqual([])
  const { deployments } = await get('/v1/providers?health=1')
  const unknown = { state: 'unknown', queued: null, workers: {} }
  expect(deployments.map(deployment => deployment.health)).toEqual([
    health,
    null,
    { ...unknown, message: 'The provider could not be asked. The key is wrong.' },
    { ...unknown, message: 'The provider could not be asked. It does not answer.' },
  ])
  expect(logged.filter(line => line.includes('its health'))).toHaveLength(2)
})

test.each([
  ['prefer=luck', 422, 'input_invalid', /^prefer: /],
  ['max_seconds=5', 422, 'input_invalid', /^prefer: say what to prefer/],
  ['prefer=cost&max_seconds=-1', 422, 'input_invalid', /^max_seconds: /],
  ['prefer=cost&max_cost_per_image=x', 422, 'input_invalid', /^max_cost_per_image: /],
  ['health=yes', 422, 'input_invalid', /^health: /],
  ['max_cost=1', 422, 'input_invalid', /^query: .*max_cost/],
  ['deployments=sketch@none', 404, 'not_found', /sketch@none/],
  ['model=acme/nothing', 404, 'not_found', /acme\/nothing/],
])('%s is refused with %i %s', async (query, status, code, words) => {
  const { send } = await setupReports([])
  const response = await send(`/v1/providers?${query}`)
  expect(response.status).toBe(status)
  const body = (await response.json()) as { code: string; detail: string }
  expect(body.code).toBe(code)
  expect(body.detail).toMatch(words)
})
