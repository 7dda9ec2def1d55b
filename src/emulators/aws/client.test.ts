import {
  DescribeCapacityProvidersCommand,
  DescribeClustersCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs'
import {
  GetFunctionConcurrencyCommand,
  GetFunctionConfigurationCommand,
  GetFunctionEventInvokeConfigCommand,
  InvokeCommand,
  LambdaClient,
} from '@aws-sdk/client-lambda'
import {
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { DescribeEndpointCommand, SageMakerClient } from '@aws-sdk/client-sagemaker'
import { InvokeEndpointAsyncCommand, SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ecs } from '../../providers/aws/ecs/index.ts'
import { lambda } from '../../providers/aws/lambda/index.ts'
import { sagemaker } from '../../providers/aws/sagemaker/index.ts'
import { file, job } from '../../providers/aws/test-support.ts'
import { createSimulatedClock } from '../../testing/clock.ts'
import { createRandom } from '../../testing/random.ts'
import { type ServedEmulator, serveEmulator } from '../serve.ts'
import { createEchoWork } from '../works.ts'
import { createAwsEmulator } from './index.ts'

/** The published clients and our adapters over real connections, each signature verified as it arrives. */
const credentials = { accessKeyId: 'AKIAGOOD', secretAccessKey: 'secret' }
const clock = createSimulatedClock()
const emulator = createAwsEmulator({ clock, random: createRandom(1), work: createEchoWork({ clock }), credentials })
let served: ServedEmulator
beforeAll(async () => {
  served = await serveEmulator(emulator)
})
afterAll(() => served.close())

const config = () => ({ region: 'us-east-1', endpoint: served.origin, credentials, maxAttempts: 1 })
const started = { cluster: 'gpu', taskDefinition: 'sharp:3', startedBy: 'a1' }

test('the client for ECS reads tasks, times and failures, and knows errors by their names', async () => {
  const client = new ECSClient(config())
  const { tasks, failures } = await client.send(new RunTaskCommand({ ...started, clientToken: 'a1' }))
  const arn = tasks?.[0]?.taskArn ?? ''
  expect([tasks?.[0]?.lastStatus, failures]).toEqual(['PROVISIONING', []])
  const seen = await client.send(new DescribeTasksCommand({ cluster: 'gpu', tasks: [arn, 'never'] }))
  expect(seen.tasks?.[0]?.createdAt).toEqual(new Date(clock.now()))
  expect(seen.failures).toEqual([{ arn: 'never', reason: 'MISSING' }])
  expect((await client.send(new ListTasksCommand({ cluster: 'gpu', startedBy: 'a1' }))).taskArns).toEqual([arn])
  const twin = client.send(new RunTaskCommand({ ...started, taskDefinition: 'other', clientToken: 'a1' }))
  await expect(twin).rejects.toMatchObject({ name: 'ConflictException', resourceIds: [arn] })
})

test('the client for S3 puts, reads, lists and deletes; a link is as good as a signature, until it is changed', async () => {
  const client = new S3Client({ ...config(), forcePathStyle: true })
  const at = { Bucket: 'b', Key: 'a b/ü+(1).txt' }
  await client.send(new PutObjectCommand({ ...at, Body: 'hello', ContentType: 'text/plain' }))
  const { Body, ContentType } = await client.send(new GetObjectCommand(at))
  expect([await Body?.transformToString(), ContentType]).toEqual(['hello', 'text/plain'])
  expect((await client.send(new HeadObjectCommand(at))).ContentLength).toBe(5)
  const list = await client.send(new ListObjectsV2Command({ Bucket: 'b', Prefix: 'a b/' }))
  expect(list.Contents).toMatchObject([{ Key: at.Key, Size: 5 }])
  const once = client.send(new PutObjectCommand({ ...at, Body: 'again', IfNoneMatch: '*' }))
  await expect(once).rejects.toMatchObject({ name: 'PreconditionFailed' })
  const link = await getSignedUrl(client, new GetObjectCommand(at), { expiresIn: 60 })
  expect(await (await fetch(link)).text()).toBe('hello')
  expect((await fetch(link.replace('.txt', '.exe'))).status).toBe(403)
  expect((await fetch(link, { method: 'PUT', body: 'mine' })).status).toBe(403)
  await client.send(new DeleteObjectCommand(at))
  await expect(client.send(new GetObjectCommand(at))).rejects.toMatchObject({ name: 'NoSuchKey' })
})

test('the clients for Lambda and SageMaker read what they are answered', async () => {
  const event = new InvokeCommand({ FunctionName: 'relief:live', InvocationType: 'Event', Payload: Buffer.from('{}') })
  expect((await new LambdaClient(config()).send(event)).StatusCode).toBe(202)
  const asked = { EndpointName: 'sharp', InputLocation: 's3://b/none.json', InferenceId: 'a1' }
  const taken = await new SageMakerRuntimeClient(config()).send(new InvokeEndpointAsyncCommand(asked))
  expect(taken).toMatchObject({
    InferenceId: 'a1',
    OutputLocation: expect.stringMatching(/^s3:\/\//),
    FailureLocation: expect.stringMatching(/^s3:\/\//),
  })
  const described = await new SageMakerClient(config()).send(new DescribeEndpointCommand({ EndpointName: 'sharp' }))
  expect(described).toMatchObject({
    EndpointStatus: 'InService',
    CreationTime: new Date(clock.now()),
    ProductionVariants: [{ VariantName: 'AllTraffic', DesiredInstanceCount: 1 }],
  })
})

test('a task that is stopped is shown as asked to stop, and its cluster counts it', async () => {
  const client = new ECSClient(config())
  const cluster = 'of-one'
  const { tasks } = await client.send(new RunTaskCommand({ ...started, cluster }))
  const task = tasks?.[0]?.taskArn ?? ''
  const counted = async () => (await client.send(new DescribeClustersCommand({ clusters: [cluster] }))).clusters
  expect(await counted()).toMatchObject([{ clusterName: cluster, status: 'ACTIVE', pendingTasksCount: 1 }])
  const stopped = await client.send(new StopTaskCommand({ cluster, task, reason: 'Cancelled by Surefoot.' }))
  expect(stopped.task).toMatchObject({ taskArn: task, desiredStatus: 'STOPPED' })
  await clock.advance(120_000)
  const seen = await client.send(new DescribeTasksCommand({ cluster, tasks: [task] }))
  expect(seen.tasks).toMatchObject([{ lastStatus: 'STOPPED', stopCode: 'UserInitiated', stoppedAt: expect.any(Date) }])
  expect(await counted()).toMatchObject([{ pendingTasksCount: 0, runningTasksCount: 0 }])
  const never = client.send(new StopTaskCommand({ cluster, task: 'never' }))
  await expect(never).rejects.toMatchObject({ name: 'InvalidParameterException' })
})

test('the settings that a doctor looks at are read by the clients, and are those of a healthy account', async () => {
  const ecsClient = new ECSClient(config())
  const definition = await ecsClient.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'sharp:3' }))
  expect(definition.taskDefinition).toMatchObject({ status: 'ACTIVE', containerDefinitions: [{ essential: true }] })
  const asked = new DescribeCapacityProvidersCommand({ capacityProviders: ['gpu-asg'] })
  expect((await ecsClient.send(asked)).capacityProviders).toMatchObject([{ name: 'gpu-asg', status: 'ACTIVE' }])
  const lambdaClient = new LambdaClient(config())
  const FunctionName = 'relief'
  expect(await lambdaClient.send(new GetFunctionConfigurationCommand({ FunctionName }))).toMatchObject({
    State: 'Active',
    Timeout: 900,
  })
  const events = await lambdaClient.send(new GetFunctionEventInvokeConfigCommand({ FunctionName }))
  expect(events).toMatchObject({ MaximumRetryAttempts: 0 })
  const concurrency = await lambdaClient.send(new GetFunctionConcurrencyCommand({ FunctionName }))
  expect(concurrency.ReservedConcurrentExecutions).toBeUndefined()
  const s3Client = new S3Client({ ...config(), forcePathStyle: true })
  const access = await s3Client.send(new GetPublicAccessBlockCommand({ Bucket: 'b' }))
  expect(access.PublicAccessBlockConfiguration).toMatchObject({ BlockPublicAcls: true, RestrictPublicBuckets: true })
  const lifecycle = await s3Client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: 'b' }))
  expect(lifecycle.Rules).toMatchObject([{ Status: 'Enabled', Expiration: { Days: 7 } }])
})

test('another secret is refused under the name that AWS has for it', async () => {
  const client = new ECSClient({ ...config(), credentials: { ...credentials, secretAccessKey: 'wrong' } })
  await expect(client.send(new RunTaskCommand(started))).rejects.toMatchObject({ name: 'InvalidSignatureException' })
})

test.each([
  ['ecs', ecs, { taskDefinition: 'sharp' }],
  ['lambda', lambda, { function: 'relief:live' }],
  ['sagemaker', sagemaker, { endpoint: 'sharp', kit: true }],
] as const)(
  'what the adapter for %s signs arrives as it was signed: files, input and start',
  async (_, create, target) => {
    const provider = create({
      region: 'us-east-1',
      endpoint: served.origin,
      credentials,
      bucket: 'predictions',
      prefix: 'us/',
    })
    const io = { fetch, signal: new AbortController().signal }
    const marker = { attemptId: `of-${provider.kind}`, secret: 'whisper' }
    const start = job(target, {
      marker,
      files: { 'the photo (1)': file(70_000) },
      input: { prompt: 'ü'.repeat(200_000) },
    })
    const answer = await provider.start(start, io)
    expect(answer).toMatchObject({ kind: 'accepted' })
    expect(await provider.poll?.(answer.kind === 'accepted' ? answer.handle : null, io)).toMatchObject({
      status: 'queued',
    })
    const wrong = { ...credentials, secretAccessKey: 'wrong' }
    const stranger = create({ region: 'us-east-1', endpoint: served.origin, credentials: wrong, bucket: 'predictions' })
    expect(await stranger.start(start, io)).toMatchObject({ kind: 'rejected', failure: { code: 'auth_rejected' } })
  },
)
