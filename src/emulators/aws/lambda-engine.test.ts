import { expect, test } from 'vitest'
import { lambda } from '../../providers/aws/lambda/index.ts'
import { emulated } from '../../providers/aws/test-support.ts'
import { type End, good, refusals } from '../../testing/test-prediction.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { predict } from './test-support.ts'

function run(faults: readonly string[], reachable = true): Promise<End> {
  const provider = lambda({ ...emulated, bucket: 'predictions' })
  return predict(faults, { provider, target: { function: 'text:live', memoryMb: 1024 }, reachable })
}

/** What the caller or the configuration must change first: one look, no second try at the same place. */
const final = new Map<FaultName, string>([['create-400', 'input_invalid'], ...refusals, ['cuda-oom', 'out_of_memory']])
/** What costs a second event, because the first one is lost. */
const twice: readonly FaultName[] = [
  // A cold start counts as queue here, and this one is longer than the policy's five minutes for that.
  'boot-slow',
  ...(['queue-forever', 'boot-forever', 'stall', 'oom', 'cuda-poisoned', 'model-error', 'upload-error'] as const),
  ...(['status-404-later', 'empty-output', 'output-short', 'output-corrupt'] as const),
  ...(['output-expired', 'output-truncated', 'output-hang'] as const),
]

test.each(faultsAt('lambda'))('%s, once: the prediction ends well, with as few events as can be', async name => {
  const code = final.get(name)
  if (code !== undefined) expect(await run([`${name}*1`])).toMatchObject({ ...good, status: 'failed', code })
  else {
    // What is stuck on Lambda cannot be stopped: it is given up, and billed until its 15 minutes are over.
    const running = name === 'stall' ? 1 : 0
    expect(await run([`${name}*1`])).toEqual({ ...good, running, submits: twice.includes(name) ? 2 : 1 })
  }
})

test('a lost start is one event: its kit says hello, and without a way to us its report is found', async () => {
  expect(await run(['accept-then-reset'])).toEqual({ ...good, submits: 1 })
  expect(await run(['accept-then-reset', 'hello-lost'])).toEqual({ ...good, submits: 1 })
  expect(await run(['create-hang'], false)).toEqual({ ...good, submits: 1 })
})

test.each([
  ['oom', 'stalled', 3],
  ['queue-forever', 'queue_timeout', 3],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await run([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})

test('many faults at once: one output, one event', async () => {
  const plan = ['create-504', 'status-503', 'status-429@date', 'run-twice', 'progress-back']
  expect(await run(plan)).toEqual({ ...good, submits: 1 })
})
