import { expect, test } from 'vitest'
import type { DeploymentJson, RecommendationJson } from '../http/provider-shapes.ts'
import type { AttemptJson } from '../http/shapes.ts'
import { type Comparison, formatComparison, type Trial } from './comparison.ts'

function attempt(over: Partial<AttemptJson> = {}): AttemptJson {
  const at = (seconds: number) => new Date(seconds * 1000).toISOString()
  return {
    id: 'a',
    number: 1,
    deployment: 'relief@runpod',
    state: 'won',
    word: null,
    planned_at: at(0),
    submitted_at: at(0),
    queued_at: at(0),
    booting_at: at(1),
    running_at: at(3),
    collecting_at: at(8),
    ended_at: at(9),
    progress: null,
    restarts: 0,
    output: null,
    failure: null,
    cost: { amount: 0.01, currency: 'USD', estimated: false },
    reserved: 0,
    release: 'confirmed',
    ...over,
  }
}

const failure = { code: 'stalled', message: 'It "stood", still.', fault: 'provider', advice: 'Wait.' } as const
const trial: Trial = {
  deployment: 'relief@runpod',
  photo: 'a.png',
  run: 1,
  id: 'p',
  status: 'succeeded',
  seconds: 9.2,
  failure: null,
  attempts: [attempt({ number: 1, state: 'failed', failure, cost: null }), attempt({ number: 2 })],
}

const deployment = {
  model: 'surefoot/relief',
  kind: 'runpod',
  price: { per_second: 0.00019, as_of: '2026-06-08' },
  breaker: { state: 'closed', until: null, why: null },
} as const
const comparison = {
  model: 'surefoot/relief',
  deployments: [
    { ...deployment, name: 'relief@runpod', provider: 'runpod' },
    { ...deployment, name: 'relief@new', provider: 'new, too', price: null },
  ] as unknown as readonly DeploymentJson[],
  trials: [trial],
  recommendation: {
    prefer: 'cost',
    deployment: 'relief@runpod',
    reasons: ['It is cheap.'],
    assumptions: ['Prices stay.'],
  } as unknown as RecommendationJson,
} satisfies Comparison

test('the table counts lost tries, says of how many the cost is unknown, and leaves no zero where nothing was seen', () => {
  expect(formatComparison(comparison, 'table').split('\n')).toEqual([
    'DEPLOYMENT     RUNS     ATTEMPTS      TIME p50  p95      QUEUE    BOOT     RUN      COLLECT  USD/IMAGE          DECLARED                STALLS',
    'relief@runpod  1/1      1/2 (9-91 %)  9.0 s     9.0 s    1.0 s    2.0 s    5.0 s    1.0 s    0.01 (+1 unknown)  0.00019/s (2026-06-08)  1',
    'relief@new     no data  no data       no data   no data  no data  no data  no data  no data  no data            unknown                 no data',
    '',
    'Recommended for cost: relief@runpod',
    '  It is cheap.',
    '  Assumed: Prices stay.',
    '',
  ])
})

test('Markdown has the same cells as a table, and the words as a list', () => {
  const lines = formatComparison(comparison, 'markdown').split('\n')
  expect(lines[0]).toMatch(/^\| DEPLOYMENT \| RUNS \| .* \| STALLS \|$/)
  expect(lines[1]).toMatch(/^\|( --- \|){12}$/)
  expect(lines[2]).toMatch(/^\| relief@runpod \| 1\/1 \| 1\/2 \(9-91 %\) \| .* \| 1 \|$/)
  expect(lines.slice(4)).toEqual([
    '',
    'Recommended for cost: relief@runpod',
    '',
    '- It is cheap.',
    '- Assumed: Prices stay.',
    '',
  ])
})

test('CSV has numbers without units, empty cells where nothing was seen, and quotes where they must be', () => {
  const renamed = { ...comparison, deployments: comparison.deployments.map(entry => ({ ...entry, model: 'a, "b"' })) }
  const rows = formatComparison(renamed, 'csv').split('\r\n')
  expect(rows[0]).toMatch(/^deployment,model,trials,succeeded,attempts,attempts_won,success_rate,/)
  expect(rows[1]).toMatch(
    /^relief@runpod,"a, ""b""",1,1,2,1,0\.5,0\.09\d*,0\.90\d*,9,9,9,1,1,1,2,2,2,5,5,5,1,1,1,0\.01,1,0\.00019,2026-06-08,1,0$/,
  )
  expect(rows[2]).toBe(`relief@new,"a, ""b""",0,0,0,0${','.repeat(19)},0,,,0,0`)
  expect(rows.slice(3)).toEqual([''])
  expect(new Set(rows.slice(0, 3).map(row => row.replace(/"(?:[^"]|"")*"/g, '').split(',').length)).size).toBe(1)
})

test('JSON has the runs, and figures as the API names them', () => {
  const { trials, deployments } = JSON.parse(formatComparison(comparison, 'json'))
  expect(trials).toEqual([trial])
  expect(deployments[0].measured).toMatchObject({
    samples: 2,
    won: 1,
    total: { p50: 9 },
    cost_per_image: 0.01,
    unpriced: 1,
  })
  expect(deployments[1].measured).toMatchObject({ samples: 0, success: null, total: null, cost_per_image: null })
})
