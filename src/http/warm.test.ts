import { expect, test } from 'vitest'
import { createRecord } from '../core/create-record.ts'
import { refuse } from '../core/failure.ts'
import { weekdays } from '../core/schedule.ts'
import type { Warmer, WarmPlan, WarmUp } from '../engine/contract.ts'
import { setup } from './test-support.ts'
import { warmPlansSchema, warmUpSchema } from './warm.ts'
import type { WarmPlansJson, WarmUpJson, WarmUpsJson } from './warm-shapes.ts'

const path = '/v1/models/acme/sketch/warm'
const estimate = { amount: 0.05, seconds: 100, assumptions: ['A run is taken to be 10 s: not measured yet.'] }

function plan(deployment: string, over: Partial<WarmPlan> = {}): WarmPlan {
  const today = { runs: 0, cost: 0, unpriced: 0 }
  return {
    deployment,
    by: 'run',
    choice: null,
    billed: true,
    bills: [],
    estimate,
    keepWarm: null,
    today,
    failure: null,
    ...over,
  }
}

const plans = [plan('sketch@runpod', { choice: 'First choice of the route.' }), plan('sketch@modal')]

const record = createRecord(
  {
    ...{ id: 'warm-1', model: 'acme/sketch', modelVersion: '0', owner: 'warm:sketch@runpod', source: 'api' },
    ...{ input: {}, files: {}, deadlineMs: 1, deadlineBy: 'policy', webhook: null },
  },
  0,
)
const says = (over: Partial<WarmUp> = {}): WarmUp => {
  return { deployment: 'sketch@runpod', state: 'waking', message: 'It wakes.', advice: null, run: record, ...over }
}

/** A front whose engine is asked to warm; what it was asked is kept. */
async function setupWarm(over: Partial<Warmer> = {}) {
  const asked: string[] = []
  const warmer: Warmer = {
    plan: async model => (model === 'acme/sketch' ? plans : refuse('input_invalid', 'No such model.', { status: 404 })),
    async warm(deployment, { run }) {
      asked.push(`${deployment} ${run ? 'by a run' : 'by a call'}`)
      return says({ deployment })
    },
    look: async id => (id === 'warm-1' ? says() : null),
    ...over,
  }
  const { deps } = await setup()
  return { ...(await setup({ engine: { ...deps.engine, warmer } })), asked }
}

test("without a word the model's first choices are warmed, by a run where it must be", async () => {
  const { post, asked } = await setupWarm()
  const response = await post(path, {})
  expect(response.status).toBe(200)
  const { warmups } = (await response.json()) as WarmUpsJson
  expect(asked).toEqual(['sketch@runpod by a run'])
  expect(warmUpSchema.safeParse(warmups[0]).error).toBeUndefined()
  expect(warmups[0]).toMatchObject({ state: 'waking', run: { id: 'warm-1', status: 'starting', settled: false } })
})

test('deployments can be named, and runs forbidden', async () => {
  const { post, asked } = await setupWarm()
  await post(path, { deployments: ['sketch@modal'], run: false })
  expect(asked).toEqual(['sketch@modal by a call'])
})

test.each<[string, string, unknown, number]>([
  ['a deployment of no such name', path, { deployments: ['sketch@nowhere'] }, 404],
  ['a model that is not there', '/v1/models/acme/none/warm', {}, 404],
  ['an empty list', path, { deployments: [] }, 422],
  ['a key that it does not know', path, { deployment: 'sketch@modal' }, 422],
])('%s is refused, and nothing is warmed', async (_, where, body, status) => {
  const { post, asked } = await setupWarm()
  expect((await post(where, body)).status).toBe(status)
  expect(asked).toEqual([])
})

test('pages of other sites cannot spend money by it', async () => {
  const { post, send, asked } = await setupWarm()
  expect((await post(path, {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await send(path, { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } })).status).toBe(415)
  expect(asked).toEqual([])
})

test('a run that warms can be looked at, by its model only', async () => {
  const { send } = await setupWarm()
  const response = await send(`${path}/warm-1`)
  expect((await response.json()) as WarmUpJson).toMatchObject({ run: { id: 'warm-1', seconds: null, cost: null } })
  expect((await send(`${path}/warm-2`)).status).toBe(404)
  expect((await send('/v1/models/acme/other/warm/warm-1')).status).toBe(404)
})

test('what keeping it warm costs is told as an estimate with its assumptions', async () => {
  const window = { fromMinute: 480, toMinute: 1200, days: weekdays }
  const keepWarm = {
    ...{ window, timeZone: 'Europe/Berlin', everyMs: 240_000, isOpen: true },
    estimate: { ...estimate, times: 180, stays: true },
  }
  const { send } = await setupWarm({ plan: async () => [plan('sketch@runpod', { keepWarm })] })
  const body = (await (await send(path)).json()) as WarmPlansJson
  expect(warmPlansSchema.safeParse(body).error).toBeUndefined()
  expect(body.deployments[0]).toMatchObject({
    deployment: 'sketch@runpod',
    keep_warm: {
      ...{ hours: '08:00-20:00', time_zone: 'Europe/Berlin', every_seconds: 240, open: true },
      estimate: { amount: 0.05, times: 180, stays: true },
    },
  })
})
