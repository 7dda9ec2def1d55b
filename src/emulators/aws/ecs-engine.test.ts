import { expect, test } from 'vitest'
import { ecs } from '../../providers/aws/ecs/index.ts'
import { emulated } from '../../providers/aws/test-support.ts'
import { type End, good, refusals } from '../../testing/test-prediction.ts'
import { type FaultName, faultsAt } from '../catalogue.ts'
import { predict } from './test-support.ts'

interface Place {
  /** Bytes and reports travel through a bucket; else by our own public URL. Default true. */
  readonly bucket?: boolean
  readonly reachable?: boolean
}

function run(faults: readonly string[], { bucket = true, reachable = true }: Place = {}): Promise<End> {
  const provider = ecs({ ...emulated, cluster: 'gpu', ...(bucket ? { bucket: 'predictions' } : {}) })
  const target = { taskDefinition: 'text:1', capacityProvider: 'gpu-asg', gpus: 1, hardware: 'g6e.xlarge' }
  return predict(faults, { provider, target, reachable })
}

/** What the caller or the configuration must change first: one look, no second try at the same place. */
const final = new Map<FaultName, string>([
  ['create-400', 'input_invalid'],
  ...refusals,
  ['image-missing', 'deployment_missing'],
  ['oom', 'out_of_memory'],
  ['cuda-oom', 'out_of_memory'],
])
/** What costs a second run, because the first one is lost. */
const twice: readonly FaultName[] = [
  ...(['queue-forever', 'boot-forever', 'boot-timeout', 'stall', 'interrupted', 'host-vanished'] as const),
  ...(['cuda-poisoned', 'model-error', 'upload-error', 'output-short', 'output-corrupt', 'empty-output'] as const),
]
/** What costs an output that has to be fetched from a bucket. */
const twiceWithBucket: readonly FaultName[] = [...twice, 'output-expired', 'output-truncated', 'output-hang']

test.each(faultsAt('ecs'))(
  '%s, once, with a bucket: the prediction ends well, with as few runs as can be',
  async name => {
    const code = final.get(name)
    if (code !== undefined) expect(await run([`${name}*1`])).toMatchObject({ ...good, status: 'failed', code })
    else expect(await run([`${name}*1`])).toEqual({ ...good, submits: twiceWithBucket.includes(name) ? 2 : 1 })
  },
)

test.each(faultsAt('ecs').filter(name => !final.has(name)))('%s, once, with uploads to us', async name => {
  const submits = twice.includes(name) ? 2 : 1
  expect(await run([`${name}*1`], { bucket: false })).toEqual({ ...good, submits })
})

test('a lost start is one run: it is found by who started it, whether or not the kit says hello', async () => {
  expect(await run(['accept-then-reset', 'hello-lost'])).toEqual({ ...good, submits: 1 })
  expect(await run(['create-hang'], { reachable: false })).toEqual({ ...good, submits: 1 })
})

test('with a bucket nothing on AWS needs to reach us; without one it must, and that is said before money is spent', async () => {
  expect(await run([], { reachable: false })).toEqual({ ...good, submits: 1 })
  const refused = run([], { bucket: false, reachable: false })
  await expect(refused).rejects.toMatchObject({ failure: { code: 'no_route_for_bytes' } })
})

test.each([
  ['stall', 'stalled', 3],
  ['queue-forever', 'queue_timeout', 3],
  ['placement-failed', 'no_capacity', 0],
  ['create-refused', 'provider_unreachable', 0],
  ['create-503', 'start_unknown', 0],
] as const)('%s, each time: the prediction fails in time, and nothing is left running', async (name, code, submits) => {
  expect(await run([name])).toEqual({ status: 'failed', code, submits, running: 0, settled: true })
})

test('many faults at once: one output, few runs', async () => {
  const plan = ['create-504', 'status-503', 'status-429@date', 'progress-restart', 'cancel-lost']
  expect(await run(plan)).toEqual({ ...good, submits: 1 })
})
