import { expect, test } from 'vitest'
import { createFailure, type FailureCode } from '../core/failure.ts'
import type { AttemptJson } from '../http/shapes.ts'
import { judgeProbe, type Probe } from './judge-probe.ts'

const zero = Date.parse('2026-11-24T12:00:00Z')
const at = (seconds: number) => new Date(zero + seconds * 1000).toISOString()

/** An attempt that was seen to run from 3 s to 44 s. */
const attempt: AttemptJson = {
  id: 'a',
  number: 1,
  deployment: 'sharp@there',
  state: 'failed',
  word: 'COMPLETED',
  planned_at: at(0),
  submitted_at: at(0),
  queued_at: at(0),
  booting_at: at(1),
  running_at: at(3),
  collecting_at: null,
  ended_at: at(44),
  progress: null,
  restarts: 0,
  output: null,
  failure: null,
  cost: null,
  reserved: 0,
  release: 'confirmed',
}

function probeOf(code: FailureCode | null, attempts: readonly AttemptJson[]): Probe {
  const failure = code === null ? null : createFailure(code, 'Why.')
  return {
    prediction: {
      status: code === null ? 'canceled' : 'failed',
      metrics: { total_time: 44 },
      completed_at: at(44),
      surefoot: {
        progress: null,
        failure,
        cost: { amount: 0.0123456, currency: 'USD', estimated: true },
        deployment: 'sharp@there',
        notice: null,
        output: null,
        settled: true,
      },
    },
    attempts: attempts.map(one => ({ ...one, failure })),
  }
}

const limits = { inlineOutputBytes: 7_500_000 }

test.each<[FailureCode, Partial<AttemptJson>, string]>([
  [
    'output_lost',
    {},
    'The run finished on its worker at 44 s, but its output is not here (queued 1 s, booted 2 s, ran 41 s; there: COMPLETED)',
  ],
  [
    'out_of_memory',
    { running_at: null, booting_at: null },
    'A worker took the run and had not finished it at 44 s (queued 44 s',
  ],
  [
    'boot_timeout',
    { running_at: null },
    'The start was taken, and its worker was not ready at 44 s (queued 1 s, booted 43 s',
  ],
  [
    'queue_timeout',
    { running_at: null, booting_at: null },
    'The start was taken, and no worker had taken the run at 44 s (queued 44 s',
  ],
  ['auth_rejected', { queued_at: null, booting_at: null, running_at: null }, 'The start was refused; it cost'],
  [
    'start_unknown',
    { queued_at: null, booting_at: null, running_at: null },
    'The start was sent, its answer was lost, and nothing was heard of it until 44 s',
  ],
  ['no_route_for_bytes', { submitted_at: null }, 'Nothing was started'],
  ['provider_error', {}, 'The start was taken, and the run failed at 44 s (queued 1 s'],
])('%s tells how far it got', (code, differences, words) => {
  const finding = judgeProbe(probeOf(code, [{ ...attempt, ...differences }]), limits)
  expect(finding).toMatchObject({ level: 'problem', message: expect.stringContaining(words) })
  expect(finding.message).toContain(`; it cost 0.0123 USD. ${code}: Why.`)
})

test('an output that was lost is told with the size of the way back', () => {
  const probe = probeOf('output_lost', [attempt])
  const usualBytes = 66_061_086
  expect(judgeProbe(probe, { ...limits, usualBytes }).advice).toMatch(
    /^The output usually has 66\.1 MB, and an answer there carries 7\.5 MB at most: switch kit upload on/,
  )
  expect(judgeProbe(probe, limits).advice).toContain(
    'If it had more than the 7.5 MB that an answer there carries: switch',
  )
  const own = createFailure('output_lost', '').advice
  expect(judgeProbe(probe, { ...limits, usualBytes: 1_000 }).advice).toBe(own)
  const known = { ...attempt, failure: createFailure('output_lost', 'Why.', { advice: 'Mend the webhook.' }) }
  const told = { prediction: probe.prediction, attempts: [known] }
  expect(judgeProbe(told, { ...limits, usualBytes }).advice).toMatch(/^Mend the webhook\. The output usually has/)
  // An address came back, and the bytes did not.
  const collecting = probeOf('output_lost', [{ ...attempt, collecting_at: at(40) }])
  expect(judgeProbe(collecting, { ...limits, usualBytes }).advice).toBe(own)
  expect(judgeProbe(probe, { inlineOutputBytes: null }).advice).toBe(createFailure('output_lost', '').advice)
})

test('an output is ok; one that took a second try is a warning', () => {
  const { prediction } = probeOf(null, [])
  const output = { name: 'scene.ply', media_type: 'x/y', bytes: 66_061_086, sha256: '', facts: {} }
  const won = { prediction: { ...prediction, surefoot: { ...prediction.surefoot, output } }, attempts: [attempt] }
  expect(judgeProbe(won, limits)).toEqual({
    code: 'probe',
    level: 'ok',
    message:
      'A photo went there and its output came back, 66.1 MB in 44 s (queued 1 s, booted 2 s, ran 41 s); it cost 0.0123 USD.',
    advice: null,
  })
  const failed = { ...attempt, failure: createFailure('worker_lost', 'It died.') }
  const second = judgeProbe({ ...won, attempts: [failed, attempt] }, limits)
  expect(second).toMatchObject({
    level: 'warning',
    message: expect.stringMatching(/It was tried 2 times within 44 s\. Before that: worker_lost: It died\.$/),
  })
})

test('a run that shows nothing where its end is told by webhook only', () => {
  const { advice } = judgeProbe(probeOf('stalled', [attempt]), { ...limits, needsCallback: true })
  expect(advice).toContain('see that the public URL can be reached from there')
  expect(judgeProbe(probeOf('stalled', [attempt]), limits).advice).not.toContain('public URL')
})

test('a server that refuses a start because of its setup has not taken it', () => {
  const refused = { ...attempt, queued_at: null, booting_at: null, running_at: null }
  expect(judgeProbe(probeOf('boot_timeout', [refused]), limits).message).toMatch(/^The start was refused/)
})

test('one that was interrupted says nothing of the provider', () => {
  expect(judgeProbe(probeOf(null, []), limits)).toMatchObject({ level: 'warning', advice: 'Run it again.' })
})
