import { expect, test } from 'vitest'
import { access, awsJson, nothing, scripted } from '../test-support.ts'
import { ecs } from './index.ts'

const arn = 'arn:aws:ecs:eu-west-1:1:task/gpu/0a1b'
const inBucket = { cluster: 'gpu', task: arn, folder: 'surefoot/attempt-1/' }
const withUs = { cluster: 'gpu', task: arn, stored: 'uploads/attempt-1/output' }
const target = { taskDefinition: 'sharp', hardware: 'g6e.xlarge' }

function setup(answers: (() => Response)[], handle: object = withUs) {
  const bucket = 'folder' in handle ? { bucket: 'predictions' } : {}
  const provider = ecs({ ...access, cluster: 'gpu', ...bucket })
  const { io, sent } = scripted(answers)
  return {
    ...{ provider, io, sent },
    poll: async () => provider.poll?.({ ...handle }, io),
    cancel: async () => provider.cancel?.({ ...handle }, io),
    health: async () => provider.health?.(provider.parseTarget(target), io),
    calls: () =>
      sent.map(({ method, url, headers }) => `${method} ${headers.get('x-amz-target')?.split('.')[1] ?? url.pathname}`),
  }
}

const shows = (task: object) => () => awsJson({ tasks: [{ taskArn: arn, ...task }], failures: [] })
const missing = () => awsJson({ tasks: [], failures: [{ arn, reason: 'MISSING' }] })
const there = () => new Response('A', { status: 206, headers: { etag: '"1"' } })
const report = (state: object) => () =>
  new Response(JSON.stringify(state), { headers: { 'content-type': 'text/plain', etag: '"1"' } })

test.each([
  ['PROVISIONING', 'queued'],
  ['PENDING', 'booting'],
  ['ACTIVATING', 'booting'],
  ['RUNNING', 'running'],
  ['DEACTIVATING', 'running'],
  ['STOPPING', 'running'],
  ['DEPROVISIONING', 'running'],
  ['HIBERNATING', 'unclear'],
])('%s is %s', async (word, status) => {
  expect(await setup([shows({ lastStatus: word })]).poll()).toMatchObject({ status, word })
})

const exited = {
  lastStatus: 'STOPPED',
  stopCode: 'EssentialContainerExited',
  stoppedReason: 'Essential container in task exited',
}
const failed = (stoppedReason: string) => ({ lastStatus: 'STOPPED', stopCode: 'TaskFailedToStart', stoppedReason })

test.each([
  ['exit code 1', { ...exited, containers: [{ name: 'main', exitCode: 1 }] }, 'model_error'],
  ['exit code 137', { ...exited, containers: [{ name: 'main', exitCode: 137 }] }, 'out_of_memory'],
  [
    'a reason that names memory',
    { ...exited, containers: [{ exitCode: 1, reason: 'OutOfMemoryError: Container killed due to memory usage' }] },
    'out_of_memory',
  ],
  ['no exit code', { ...exited, containers: [{ name: 'main' }] }, 'worker_lost'],
  ['no container at all', exited, 'worker_lost'],
  ['a Spot interruption', { lastStatus: 'STOPPED', stopCode: 'SpotInterruption' }, 'worker_lost'],
  ['a termination notice', { lastStatus: 'STOPPED', stopCode: 'TerminationNotice' }, 'worker_lost'],
  ['bad infrastructure', { lastStatus: 'STOPPED', stopCode: 'InfrastructureHealth' }, 'worker_lost'],
  [
    'a Spot interruption without its code',
    { lastStatus: 'STOPPED', stoppedReason: 'Your Spot Task was interrupted.', containers: [{ exitCode: 137 }] },
    'worker_lost',
  ],
  ['a host that is gone', { ...exited, stoppedReason: 'Host EC2 (instance i-0abc) terminated.' }, 'worker_lost'],
  [
    'an image that is not there',
    failed('CannotPullContainerError: failed to resolve ref a/b:c: not found'),
    'deployment_missing',
  ],
  ['an image that it may not pull', failed('CannotPullContainerError: pull access denied'), 'deployment_missing'],
  ['an image that does not come', failed('CannotPullContainerError: i/o timeout'), 'provider_error'],
  [
    'a secret that it may not read',
    failed('ResourceInitializationError: unable to pull secrets'),
    'deployment_missing',
  ],
  [
    'a network that does not come',
    failed('Timeout waiting for network interface provisioning to complete.'),
    'boot_timeout',
  ],
  ['no machine', failed('Capacity is unavailable at this time.'), 'no_capacity'],
  ['something new', failed('Weather'), 'provider_error'],
])('a task that ended with %s failed: %#', async (_, task, code) => {
  expect(await setup([shows(task)]).poll()).toMatchObject({ status: 'failed', failure: { code } })
})

test("the kit's container decides, not one beside it that was killed at the end", async () => {
  const containers = [
    { name: 'router', exitCode: 137 },
    { name: 'kit', exitCode: 0 },
  ]
  const task = { ...exited, containers, overrides: { containerOverrides: [{ name: 'kit' }] } }
  expect(await setup([shows(task)]).poll()).toMatchObject({
    status: 'succeeded',
    outputs: [{ kind: 'stored', key: 'uploads/attempt-1/output' }],
  })
})

test('who was stopped by us is cancelled; who had done its work by then has succeeded', async () => {
  const stopped = { lastStatus: 'STOPPED', stopCode: 'UserInitiated', containers: [{ exitCode: 143 }] }
  expect(await setup([shows(stopped)]).poll()).toMatchObject({ status: 'canceled' })
  const late = setup([shows(stopped), report({ state: 'done' }), there], inBucket)
  expect(await late.poll()).toMatchObject({ status: 'succeeded' })
})

test("a kit's report in the bucket gives progress, and the words of its failure", async () => {
  const running = setup(
    [shows({ lastStatus: 'RUNNING' }), report({ state: 'running', stage: 'predicting', fraction: 0.4 })],
    inBucket,
  )
  expect(await running.poll()).toEqual({
    status: 'running',
    word: 'RUNNING',
    progress: { stage: 'predicting', fraction: 0.4 },
  })
  const task = { ...exited, containers: [{ exitCode: 1 }] }
  const error = 'torch.OutOfMemoryError: CUDA out of memory'
  const dead = setup([shows(task), report({ state: 'failed', error })], inBucket)
  expect(await dead.poll()).toMatchObject({ status: 'failed', failure: { code: 'out_of_memory' } })
})

test('before a task runs its bucket is not asked', async () => {
  const { poll, calls } = setup([shows({ lastStatus: 'PENDING' })], inBucket)
  await poll()
  expect(calls()).toEqual(['POST DescribeTasks'])
})

test('a success names a link to the output, or nothing where none is', async () => {
  const task = { ...exited, containers: [{ exitCode: 0 }] }
  const whole = setup([shows(task), nothing, there], inBucket)
  expect((await whole.poll())?.outputs).toEqual([
    {
      kind: 'url',
      url: expect.stringMatching(
        /^https:\/\/predictions\.s3\.eu-west-1\.amazonaws\.com\/surefoot\/attempt-1\/output\?.*X-Amz-Signature=/,
      ),
    },
  ])
  expect(whole.calls().slice(1)).toEqual(['GET /surefoot/attempt-1/state.json', 'GET /surefoot/attempt-1/output'])
  const lost = setup([shows(task), nothing, nothing], inBucket)
  expect(await lost.poll()).toMatchObject({ status: 'succeeded', outputs: [] })
})

test('a task that ECS does not know is gone, unless its kit has reported that it was done', async () => {
  expect(await setup([missing]).poll()).toEqual({ status: 'gone', word: 'MISSING' })
  expect(await setup([missing, nothing], inBucket).poll()).toEqual({ status: 'gone', word: 'MISSING' })
  const done = setup([missing, report({ state: 'done' }), there], inBucket)
  expect(await done.poll()).toMatchObject({ status: 'succeeded', outputs: [{ kind: 'url' }] })
})

test.each([
  ['another task', shows({ taskArn: `${arn}x`, lastStatus: 'RUNNING' })],
  ['neither a task nor a reason', () => awsJson({ tasks: [], failures: [] })],
  ['a page', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
  ['no report where a report should be', shows({ lastStatus: 'RUNNING' })],
])('an answer with %s is no answer', async (_, answer) => {
  const poll = setup([answer, report({ status: 'ok' })], inBucket).poll()
  await expect(poll).rejects.toMatchObject({ failure: { code: 'provider_error' } })
})

test('what is paid runs from the pull of the image to the stop, and Fargate asks for a minute at least', async () => {
  const times = { createdAt: 1000, pullStartedAt: 1010.5, startedAt: 1020, stoppedAt: 1031 }
  const { provider, poll } = setup([shows({ ...exited, ...times, containers: [{ exitCode: 0 }] })])
  const seen = (await poll()) ?? expect.fail('no observation')
  expect(seen.metrics).toEqual({ runMs: 20_500, totalMs: 31_000 })
  const cost = (target: object) => provider.cost(seen, provider.parseTarget(target))?.amount
  expect(cost({ taskDefinition: 'a', pricePerSecond: 0.01 })).toBeCloseTo(0.21)
  const fargate = { fargate: { vcpu: 1, memoryGb: 2 }, subnets: ['subnet-1'] }
  expect(cost({ taskDefinition: 'a', ...fargate })).toBeCloseTo((60 * (0.04048 + 2 * 0.004445)) / 3600)
  expect(cost({ taskDefinition: 'a' })).toBeUndefined()
})

test('runs of an attempt are looked for by who started them, with no other filter', async () => {
  const { provider, io, sent } = setup([() => awsJson({ taskArns: [arn] })])
  const found = await provider.find?.({ attemptId: 'attempt-1', secret: 'whisper' }, 0, io)
  expect(found).toEqual([{ handle: withUs }])
  expect(sent[0]?.json()).toEqual({ cluster: 'gpu', startedBy: 'attempt-1' })
})

test.each([
  ['stops the task', () => awsJson({ task: { taskArn: arn } })],
  [
    'finds none',
    () => awsJson({ __type: 'InvalidParameterException', message: 'The referenced task was not found.' }, 400),
  ],
])('a cancel that %s leaves it to a poll how it ended', async (_, answer) => {
  const { cancel, calls } = setup([answer])
  expect(await cancel()).toBe('requested')
  expect(calls()).toEqual(['POST StopTask'])
})

test.each(['ThrottlingException', 'AccessDeniedException', 'InvalidParameterException'])(
  'a cancel answered with %s was not asked',
  async name => {
    const answer = () => awsJson({ __type: name, message: 'no' }, 400)
    await expect(setup([answer]).cancel()).rejects.toMatchObject({ name: 'SurefootError' })
  },
)

test.each([
  [{ runningTasksCount: 2, pendingTasksCount: 0 }, 'ok', 0],
  [{ runningTasksCount: 2, pendingTasksCount: 3 }, 'queueing', 3],
  [{ status: 'INACTIVE', pendingTasksCount: 3 }, 'no-workers', null],
  [{}, 'unknown', null],
])('a cluster with %j is %s', async (cluster, state, queued) => {
  expect(await setup([() => awsJson({ clusters: [cluster] })]).health()).toMatchObject({ state, queued })
})
