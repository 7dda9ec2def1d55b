import { expect, test } from 'vitest'
import { replicate } from '../../providers/replicate/index.ts'
import { type End, predict as predictAt, refusals } from '../../testing/test-prediction.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { createReplicateEmulator } from './index.ts'

function predict(faults: readonly string[]): Promise<End> {
  return predictAt(faults, {
    emulator: createReplicateEmulator,
    provider: () => replicate({ token: 't', baseUrl: 'https://replicate.test/v1' }),
    target: { model: 'test/text', hardware: 'gpu-l40s' },
  })
}

/** What the caller or the configuration must change first: one look, no second try at the same place. */
const final = new Map<FaultName, string>([
  ...refusals,
  ['create-422', 'deployment_missing'],
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
])
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  ...(['queue-forever', 'boot-forever', 'boot-timeout', 'aborted', 'stall'] as const),
  ...(['cuda-poisoned', 'model-error', 'interrupted', 'upload-error'] as const),
  ...(['empty-output', 'data-removed', 'output-expired'] as const),
  ...(['output-truncated', 'output-short', 'output-hang', 'output-corrupt'] as const),
]

test.each(faultsAt('replicate'))('%s, once: the prediction ends well, with as few runs as can be', async name => {
  const code = final.get(name)
  const ended = { running: 0, settled: true }
  if (code !== undefined) expect(await predict([`${name}*1`])).toMatchObject({ ...ended, status: 'failed', code })
  else {
    const submits = twice.includes(name) ? 2 : 1
    expect(await predict([`${name}*1`])).toEqual({ ...ended, status: 'succeeded', code: null, submits })
  }
})

test.each([
  ['stall', 'stalled', 3],
  ['boot-forever', 'deadline_exceeded', 3],
  ['empty-output', 'output_lost', 3],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await predict([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})

test('many faults at once: one output, few runs', async () => {
  const plan = [
    'create-504',
    'status-503',
    'status-429@date',
    'progress-restart',
    'webhook-forged',
    'webhook-reordered',
  ]
  expect(await predict(plan)).toEqual({ status: 'succeeded', code: null, submits: 1, running: 0, settled: true })
})
