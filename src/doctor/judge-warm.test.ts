import { expect, test } from 'vitest'
import { defaultPolicy, type Policy } from '../core/policy.ts'
import { weekdays } from '../core/schedule.ts'
import type { Deployment } from '../engine/contract.ts'
import type { Warmth } from '../providers/contract.ts'
import { judgeWarm } from './judge-warm.ts'
import { createDeployment } from './test-support.ts'

const hours = { window: { fromMinute: 480, toMinute: 1080, days: weekdays }, timeZone: 'UTC', everyMs: 240_000 }
const stays: Warmth = { idleMs: 300_000, idleBy: 'target', bills: ['boot', 'idle'], wokenBy: 'run', keptBy: 'run' }

function judge(warmth: Partial<Warmth> = {}, policy: Partial<Policy> = {}, over: Partial<Deployment> = {}) {
  const deployment = createDeployment({ provider: { warmth: () => ({ ...stays, ...warmth }) } })
  return judgeWarm({ ...deployment, concurrency: 4, keepWarm: hours, ...over }, { ...defaultPolicy, ...policy })
}

test('what hours cost is told as an estimate with its assumptions', () => {
  expect(judge()).toEqual([
    {
      ...{ code: 'keep-warm', level: 'ok', advice: null },
      message:
        'Kept warm 08:00-18:00 UTC, after 4 min without use: about 36.3 USD a day, an estimate. A cold start is taken to be 30 s: not measured yet. A run is taken to be 10 s: not measured yet. Nobody else uses the deployment; each use puts the next warm-up off.',
    },
  ])
})

test.each<[string, Partial<Warmth>, Partial<Policy>, Partial<Deployment>, string]>([
  ['workers that go before the next warm-up', { idleMs: 5_000 }, {}, {}, 'keep-warm-idle'],
  ['a budget that covers no run', {}, { budget: 0.5 }, {}, 'keep-warm-budget'],
  ["a day's budget that covers no run", {}, { budgetPerDay: 0.5 }, {}, 'keep-warm-budget'],
  ['one place', {}, {}, { concurrency: 1 }, 'keep-warm-place'],
])('%s are warned of', (_, warmth, policy, over, code) => {
  expect(judge(warmth, policy, over).map(finding => `${finding.level} ${finding.code}`)).toEqual([
    'ok keep-warm',
    `warning ${code}`,
  ])
})

test('where a call keeps it, one place is enough', () => {
  expect(judge({ keptBy: 'call' }, {}, { concurrency: 1 })).toHaveLength(1)
})

test('a deployment without such hours is not spoken of', () => {
  expect(judgeWarm(createDeployment(), defaultPolicy)).toEqual([])
})
