import { expect, test } from 'vitest'
import { createAwsEmulator } from '../../emulators/aws/index.ts'
import { asFetch } from '../../emulators/contract.ts'
import type { Settings } from '../../emulators/settings.ts'
import { createFixedWork } from '../../emulators/works.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import type { Finding, Intent, Provider } from '../contract.ts'
import { brief, intent } from '../test-intent.ts'
import type { Bucket } from './bucket.ts'
import { checkBucket } from './check-bucket.ts'
import { ecs } from './ecs/index.ts'
import { lambda } from './lambda/index.ts'
import { sagemaker } from './sagemaker/index.ts'
import { emulated } from './test-support.ts'

const account = { ...emulated, bucket: 'predictions' }

/** What a provider's check finds in an account with these settings; nothing may have been started. */
async function check(
  provider: Provider,
  target: object,
  settings: Settings = {},
  more: Partial<Intent> = {},
): Promise<readonly Finding[]> {
  const clock = createSimulatedClock()
  const work = createFixedWork({ clock, name: 'a', mediaType: 'a/b', bytes: new Uint8Array(1), durationMs: 1 })
  const { credentials } = emulated
  const emulator = createAwsEmulator({ clock, random: createRandom(1), work, credentials, settings })
  const io = { signal: new AbortController().signal, fetch: asFetch(emulator) }
  const findings = await provider.check?.(provider.parseTarget(target), io, { ...intent, ...more })
  expect(emulator.state().submits).toBe(0)
  return findings ?? []
}

const bucketIsWell = ['ok s3-read', 'ok s3-write']
const onLambda = { function: 'relief:live', memoryMb: 4096 }
const onGpu = { taskDefinition: 'sharp', capacityProvider: 'gpu', gpus: 1 }
const onFargate = { taskDefinition: 'relief', fargate: { vcpu: 4, memoryGb: 8 }, subnets: ['subnet-1'] }
const onSagemaker = { endpoint: 'sharp-async' }

test('a healthy account has nothing to mend', async () => {
  expect(brief(await check(lambda(account), onLambda))).toEqual([
    'ok lambda-function',
    'ok lambda-events',
    ...bucketIsWell,
  ])
  expect(brief(await check(ecs(account), onGpu))).toEqual([
    ...['ok ecs-definition', 'ok ecs-gpu', 'ok ecs-provider'],
    ...bucketIsWell,
  ])
  expect(brief(await check(ecs(emulated), onFargate))).toEqual(['ok ecs-definition'])
  expect(brief(await check(sagemaker(account), onSagemaker))).toEqual([
    ...['ok sagemaker-async', 'ok sagemaker-concurrency', 'ok sagemaker-paths'],
    ...bucketIsWell,
  ])
})

const configuration = (fields: object): Settings => ({ GetFunctionConfiguration: fields })

test.each<[string, Settings, Partial<Intent>, string, string]>([
  ['no such function', { GetFunctionConfiguration: 404 }, {}, 'problem lambda-function', 'no function relief:live'],
  [
    'a change that failed',
    configuration({ State: 'Failed', StateReason: 'ImageAccessDenied' }),
    {},
    'problem lambda-function',
    'ImageAccessDenied',
  ],
  ['a function that sleeps', configuration({ State: 'Inactive' }), {}, 'warning lambda-function', 'asleep'],
  [
    '3 s',
    configuration({ Timeout: 3 }),
    {},
    'warning lambda-timeout',
    'after 3 s, and the policy lets one go on for 10 min',
  ],
  ['the most there is', {}, { runMs: 900_001 }, 'warning lambda-timeout', 'after 15 min'],
  ['less memory', configuration({ MemorySize: 1024 }), {}, 'warning lambda-memory', 'has 1024 MB'],
  [
    'events that are dropped early',
    { GetFunctionEventInvokeConfig: { MaximumEventAgeInSeconds: 60 } },
    {},
    'warning lambda-events',
    'kept 60 s at most',
  ],
  ["the vendor's repetitions", { GetFunctionEventInvokeConfig: 404 }, {}, 'ok lambda-events', 'repeated 2 times'],
  [
    'no concurrency',
    { GetFunctionConcurrency: { ReservedConcurrentExecutions: 0 } },
    {},
    'problem lambda-concurrency',
    'no event is ever run',
  ],
  ['too few rights', { GetFunctionConfiguration: 403 }, {}, 'ok lambda-rights', 'may not read all'],
  ['a public bucket', { GetPublicAccessBlock: { on: false } }, {}, 'warning s3-public', 'opened to the public'],
  ['a bucket without that', { GetPublicAccessBlock: 404 }, {}, 'warning s3-public', 'photos and all'],
  ['a bucket that only grows', { GetBucketLifecycleConfiguration: 404 }, {}, 'warning s3-expiry', 'nothing deletes'],
  ['one whose rule is off', { GetBucketLifecycleConfiguration: { on: false } }, {}, 'warning s3-expiry', 'for good'],
])('Lambda: %s is found', async (_what, settings, more, found, words) => {
  const findings = await check(lambda(account), onLambda, settings, more)
  expect(brief(findings)).toContain(found)
  expect(findings.map(({ message }) => message).join(' ')).toContain(words)
})

test('settings of a bucket that may not be read are not judged', async () => {
  const findings = await check(lambda(account), onLambda, {
    GetPublicAccessBlock: 403,
    GetBucketLifecycleConfiguration: 403,
  })
  expect(brief(findings).filter(each => each.includes('s3'))).toEqual(bucketIsWell)
})

test('with leave, one object is written, read and deleted', async () => {
  const findings = await check(lambda(account), onLambda, {}, { mayWrite: true })
  expect(findings.at(-1)?.message).toMatch(
    /^Amazon S3: an object was written to s3:\/\/predictions\/surefoot\/, read and del/,
  )
})

test('without the right to delete, the object stays, and that is said', async () => {
  const told = { kind: 'told', value: true } as const
  const bucket = {
    prefix: 'surefoot/',
    uri: (key: string) => `s3://predictions/${key}`,
    has: async () => false,
    put: async () => {},
    text: async () => 'surefoot doctor',
    remove: () => Promise.reject(new Error('403')),
    blocksPublic: async () => told,
    expires: async () => told,
  } as unknown as Bucket
  const io = { fetch: globalThis.fetch, signal: new AbortController().signal }
  const findings = await checkBucket(bucket, io, { ...intent, mayWrite: true })
  expect(brief(findings)).toEqual(bucketIsWell)
  expect(findings.at(-1)?.message).toContain('could not be deleted and stays under surefoot/doctor/')
})

const definition = (fields: object): Settings => ({ DescribeTaskDefinition: fields })
const cluster = (fields: object): Settings => ({ DescribeClusters: fields })
const container = (fields: object) => definition({ containerDefinitions: [{ name: 'main', ...fields }] })
const gpu = { resourceRequirements: [{ type: 'GPU', value: '1' }] }

test.each<[string, object, Settings, string, string]>([
  ['no such definition', onGpu, { DescribeTaskDefinition: 404 }, 'problem ecs-definition', 'no task definition sharp'],
  ['an inactive one', onGpu, definition({ status: 'INACTIVE' }), 'problem ecs-definition', 'no new task runs it'],
  ['a container of another name', onGpu, container({ name: 'kit' }), 'problem ecs-definition', 'only kit'],
  ['a GPU on Fargate', onFargate, container(gpu), 'problem ecs-gpu', 'Fargate has none'],
  ['what is not for Fargate', onFargate, definition({ compatibilities: ['EC2'] }), 'problem ecs-gpu', 'not one for'],
  ['no GPU anywhere', { ...onGpu, gpus: undefined }, {}, 'warning ecs-gpu', 'asks for no GPU'],
  ['a network without subnets', onGpu, definition({ networkMode: 'awsvpc' }), 'problem ecs-network', 'no subnets'],
  [
    'subnets without such a network',
    { ...onGpu, subnets: ['subnet-1'] },
    definition({ networkMode: 'bridge' }),
    'problem ecs-network',
    'takes no subnets',
  ],
  ['a private network', onFargate, definition({ networkMode: 'awsvpc' }), 'ok ecs-network', 'by a NAT gateway'],
  [
    'no execution role',
    onFargate,
    definition({ executionRoleArn: undefined }),
    'warning ecs-role',
    'neither a private',
  ],
  ['no logs', onGpu, container({}), 'warning ecs-logs', 'nobody can read why'],
  [
    'a stop that takes too long',
    onFargate,
    container({ stopTimeout: 300, logConfiguration: { logDriver: 'awslogs' } }),
    'problem ecs-stop-timeout',
    '120 s at most',
  ],
  ['a provider of no cluster', onGpu, cluster({ capacityProviders: ['cpu'] }), 'problem ecs-capacity', 'it has cpu'],
  [
    'nowhere to run',
    { ...onGpu, capacityProvider: undefined },
    cluster({ capacityProviders: [] }),
    'problem ecs-capacity',
    'a start is refused',
  ],
  [
    'a default place',
    { ...onGpu, capacityProvider: undefined },
    cluster({ capacityProviders: ['gpu'], defaultCapacityProviderStrategy: [{ capacityProvider: 'gpu' }] }),
    'ok ecs-capacity',
    'a place for it',
  ],
  [
    'Fargate Spot',
    { ...onFargate, fargate: { vcpu: 4, memoryGb: 8, spot: true } },
    cluster({ capacityProviders: ['FARGATE_SPOT'] }),
    'warning ecs-spot',
    'begins anew',
  ],
  [
    'a provider that is gone',
    onGpu,
    { DescribeCapacityProviders: { status: 'INACTIVE' } },
    'problem ecs-provider',
    'INACTIVE',
  ],
  [
    'one that does not scale',
    onGpu,
    { DescribeCapacityProviders: { autoScalingGroupProvider: { managedScaling: { status: 'DISABLED' } } } },
    'warning ecs-provider',
    'refused instead of waiting',
  ],
  [
    'Managed Instances on Spot',
    onGpu,
    {
      DescribeCapacityProviders: {
        autoScalingGroupProvider: undefined,
        managedInstancesProvider: { instanceLaunchTemplate: { capacityOptionType: 'SPOT' } },
      },
    },
    'warning ecs-spot',
    'Spot instances',
  ],
  [
    'too few rights',
    onGpu,
    { DescribeTaskDefinition: 403, DescribeCapacityProviders: 403 },
    'ok ecs-rights',
    'not seen',
  ],
])('ECS: %s is found', async (_what, target, settings, found, words) => {
  const findings = await check(ecs(account), JSON.parse(JSON.stringify(target)) as object, settings)
  expect(brief(findings)).toContain(found)
  expect(findings.map(({ message }) => message).join(' ')).toContain(words)
})

const endpoint = (fields: object): Settings => ({ DescribeEndpoint: { AsyncInferenceConfig: fields } })
const paths = { S3OutputPath: 's3://results/out' }

test.each<[string, object, Settings, Partial<Intent>, string]>([
  [
    'one that answers at once',
    onSagemaker,
    { DescribeEndpoint: { AsyncInferenceConfig: undefined } },
    {},
    'problem sagemaker-async',
  ],
  [
    'a shared GPU',
    onSagemaker,
    endpoint({ ClientConfig: { MaxConcurrentInvocationsPerInstance: 4 }, OutputConfig: paths }),
    {},
    'warning sagemaker-concurrency',
  ],
  ['no number', onSagemaker, endpoint({ OutputConfig: paths }), {}, 'warning sagemaker-concurrency'],
  ['errors that go nowhere', onSagemaker, endpoint({ OutputConfig: paths }), {}, 'warning sagemaker-failures'],
  ['a run that is too long', onSagemaker, {}, { runMs: 3_600_001 }, 'warning sagemaker-run-limit'],
])('SageMaker: %s is found', async (_what, target, settings, more, found) => {
  expect(brief(await check(sagemaker(account), target, settings, more))).toContain(found)
})

test('errors that a kit tells itself need no place', async () => {
  const findings = await check(sagemaker(account), { ...onSagemaker, kit: true }, endpoint({ OutputConfig: paths }))
  expect(brief(findings)).not.toContain('warning sagemaker-failures')
})

test('bad keys are no missing right', async () => {
  const credentials = { ...emulated.credentials, secretAccessKey: 'wrong' }
  for (const [provider, target] of [
    [lambda({ ...account, credentials }), onLambda],
    [ecs({ ...account, credentials }), onGpu],
    [sagemaker({ ...account, credentials }), onSagemaker],
  ] as const)
    await expect(check(provider, target)).rejects.toMatchObject({ failure: { code: 'auth_rejected' } })
})
