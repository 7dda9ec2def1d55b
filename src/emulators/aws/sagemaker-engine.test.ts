import { expect, test } from 'vitest'
import { sagemaker } from '../../providers/aws/sagemaker/index.ts'
import { emulated } from '../../providers/aws/test-support.ts'
import { type End, good, refusals } from '../../testing/test-prediction.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { predict } from './test-support.ts'

interface Place {
  /** The container is our kit. Default true. */
  readonly kit?: boolean
  readonly reachable?: boolean
}

function run(faults: readonly string[], { kit = true, reachable = true }: Place = {}): Promise<End> {
  const provider = sagemaker({ ...emulated, bucket: 'predictions' })
  return predict(faults, { provider, target: { endpoint: 'text', kit, pricePerSecond: 0.0004 }, reachable })
}

/** What the caller or the configuration must change first: one look, no second try at the same place. */
const final = new Map<FaultName, string>([
  ['create-400', 'input_invalid'],
  ...refusals,
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
])
/** What costs a second request, because the first one is lost. */
const twice: readonly FaultName[] = [
  // A cold start counts as queue here, and this one is longer than the policy's five minutes for that.
  'boot-slow',
  ...(['queue-forever', 'boot-forever', 'timed-out', 'stall', 'cuda-poisoned', 'model-error', 'upload-error'] as const),
  ...(['empty-output', 'output-short', 'output-corrupt', 'output-expired', 'output-truncated', 'output-hang'] as const),
]
/** With a kit its report is lost, too. */
const twiceWithKit: readonly FaultName[] = [...twice, 'status-404-later']
/** Nobody is ever seen to begin with another container's request, whose start's answer was lost. */
const lost: readonly FaultName[] = [
  ...(['accept-then-reset', 'create-500', 'create-502', 'create-504', 'create-524'] as const),
  ...(['create-html-200', 'create-error-object-200', 'create-hang', 'status-404-later'] as const),
]

test.each(faultsAt('sagemaker'))(
  '%s, once, with our kit: the prediction ends well, with as few requests as can be',
  async name => {
    const code = final.get(name)
    if (code !== undefined) expect(await run([`${name}*1`])).toMatchObject({ ...good, status: 'failed', code })
    else
      expect(await run([`${name}*1`])).toEqual({
        ...good,
        submits: twiceWithKit.includes(name) ? 2 : 1,
      })
  },
)

test.each(faultsAt('sagemaker').filter(name => !final.has(name)))(
  "%s, once, with a stranger's container",
  async name => {
    const submits = twice.includes(name) || lost.includes(name) ? 2 : 1
    expect(await run([`${name}*1`], { kit: false })).toEqual({ ...good, submits })
  },
)

test('a lost start of our kit is one request: its hello gives it away, and without a way to us its report', async () => {
  expect(await run(['accept-then-reset', 'hello-lost'])).toEqual({ ...good, submits: 1 })
  expect(await run(['create-hang'], { reachable: false })).toEqual({ ...good, submits: 1 })
})

test.each([
  ['queue-forever', 'queue_timeout', 3],
  ['timed-out', 'queue_timeout', 3],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await run([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})
