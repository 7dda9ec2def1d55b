import { expect, test, vi } from 'vitest'
import { access, awsJson, file, job, nothing, scripted, stored } from '../test-support.ts'
import { ecs } from './index.ts'

const arn = 'arn:aws:ecs:eu-west-1:1:task/gpu/0a1b'
const placed = () => awsJson({ tasks: [{ taskArn: arn, lastStatus: 'PROVISIONING' }], failures: [] })
const onGpu = { taskDefinition: 'sharp:3', capacityProvider: 'gpu-asg', gpus: 1 }
const onFargate = { taskDefinition: 'relief', fargate: { vcpu: 2, memoryGb: 8 }, subnets: ['subnet-1'] }

function setup(answers: (() => Response)[], options: object = {}) {
  const provider = ecs({ ...access, cluster: 'gpu', ...options })
  return { provider, ...scripted(answers) }
}

test('a start is one signed call that names the attempt twice: by it a twin is refused, and the task found again', async () => {
  const { provider, io, sent } = setup([placed])
  expect(await provider.start(job(onGpu), io)).toEqual({
    kind: 'accepted',
    handle: { cluster: 'gpu', task: arn, stored: 'uploads/attempt-1/output' },
    seen: { status: 'queued', word: 'PROVISIONING' },
  })
  expect(sent).toHaveLength(1)
  const { url, headers } = sent[0] ?? expect.fail('nothing was sent')
  expect(url.href).toBe('https://ecs.eu-west-1.amazonaws.com/')
  expect(headers.get('x-amz-target')).toBe('AmazonEC2ContainerServiceV20141113.RunTask')
  expect(headers.get('authorization')).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIAGOOD\/\d+\/eu-west-1\/ecs\/aws4_request/,
  )
  const { overrides, ...rest } = sent[0]?.json() ?? {}
  expect(rest).toEqual({
    cluster: 'gpu',
    taskDefinition: 'sharp:3',
    count: 1,
    clientToken: 'attempt-1',
    startedBy: 'attempt-1',
    capacityProviderStrategy: [{ capacityProvider: 'gpu-asg', weight: 1 }],
  })
  expect(overrides).toMatchObject({
    containerOverrides: [{ name: 'main', resourceRequirements: [{ type: 'GPU', value: '1' }] }],
  })
})

test('without a bucket the kit finds its whole input in its environment, with links to us', async () => {
  const { provider, io, sent } = setup([placed])
  await provider.start(job({ ...onGpu, container: 'kit', inputs: { image: 'photo' } }), io)
  const [container] = containersOf(sent[0]?.json())
  expect(container?.environment.map(({ name }) => name)).toEqual(['SUREFOOT_INPUT'])
  expect(JSON.parse(container?.environment[0]?.value ?? '')).toEqual({
    focal_length: 30,
    photo: 'https://us.test/photo?signature=1',
    surefoot: {
      attempt: 'attempt-1',
      hello: 'https://us.test/hooks/whisper',
      upload: { url: 'https://us.test/uploads/output?signature=1' },
    },
  })
})

test('with a bucket the photo and the input go there first, and the kit gets links that end soon after the deadline', async () => {
  const { provider, io, sent } = setup([stored, stored, placed], { bucket: 'predictions' })
  const answer = await provider.start(
    job(onGpu, { files: { image: file(3) }, webhookUrl: null, uploadUrl: () => null }),
    io,
  )
  expect(answer).toMatchObject({ kind: 'accepted', handle: { folder: 'surefoot/attempt-1/' } })
  const folder = 'https://predictions.s3.eu-west-1.amazonaws.com/surefoot/attempt-1'
  expect(sent.slice(0, 2).map(({ method, url }) => `${method} ${url.origin}${url.pathname}`)).toEqual([
    `PUT ${folder}/files/image`,
    `PUT ${folder}/input.json`,
  ])
  expect([sent[0]?.text, sent[0]?.headers.get('content-length')]).toEqual(['AAA', '3'])
  const input = sent[1]?.json() as { image: string; surefoot: { upload: { url: string }; state: { url: string } } }
  expect([input.image, input.surefoot.upload.url, input.surefoot.state.url].map(link => link.split('?')[0])).toEqual([
    `${folder}/files/image`,
    `${folder}/output`,
    `${folder}/state.json`,
  ])
  expect(new URL(input.surefoot.upload.url).searchParams.get('X-Amz-Expires')).toBe('2400')
  const [container] = containersOf(sent[2]?.json())
  expect(container?.environment).toEqual([
    { name: 'SUREFOOT_INPUT_URL', value: expect.stringContaining(`${folder}/input.json?`) },
  ])
})

test('work on Fargate says its size, its network and nothing of GPUs', async () => {
  const { provider, io, sent } = setup([placed])
  const target = { ...onFargate, securityGroups: ['sg-1'], publicIp: true }
  await provider.start(job(target), io)
  expect(sent[0]?.json()).toMatchObject({
    capacityProviderStrategy: [{ capacityProvider: 'FARGATE', weight: 1 }],
    networkConfiguration: {
      awsvpcConfiguration: { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: 'ENABLED' },
    },
    overrides: { cpu: '2048', memory: '8192' },
  })
  expect(sent[0]?.text).not.toContain('resourceRequirements')
})

test.each([
  ['RESOURCE:GPU', 'no_capacity'],
  ['RESOURCE:MEMORY', 'no_capacity'],
  ['AGENT', 'no_capacity'],
  ['Capacity is unavailable at this time. Please try again later or in a different availability zone', 'no_capacity'],
  ['ATTRIBUTE', 'deployment_missing'],
  ['MISSING', 'deployment_missing'],
  ['something new', 'provider_error'],
])('a 200 that placed nothing because of %s is a refusal with %s', async (reason, code) => {
  const { provider, io } = setup([() => awsJson({ tasks: [], failures: [{ arn: 'x', reason }] })])
  expect(await provider.start(job(onGpu), io)).toMatchObject({ kind: 'rejected', failure: { code } })
})

test('a 200 that holds neither a task nor a failure leaves it open', async () => {
  const { provider, io } = setup([() => awsJson({ tasks: [], failures: [] })])
  expect(await provider.start(job(onGpu), io)).toMatchObject({ kind: 'unknown' })
})

test('a twin of a start that went through gets the task of the first one', async () => {
  const conflict = { __type: 'com.amazonaws.ecs#ConflictException', message: 'in use', resourceIds: [arn] }
  const { provider, io } = setup([() => awsJson(conflict, 400)])
  expect(await provider.start(job(onGpu), io)).toEqual({
    kind: 'accepted',
    handle: { cluster: 'gpu', task: arn, stored: 'uploads/attempt-1/output' },
  })
})

test.each([
  ['ThrottlingException', 400, 'Rate exceeded', 'rejected', 'rate_limited'],
  ['UnrecognizedClientException', 400, 'invalid token', 'rejected', 'auth_rejected'],
  ['ExpiredTokenException', 400, 'expired', 'rejected', 'auth_rejected'],
  ['AccessDeniedException', 400, 'not authorized to perform ecs:RunTask', 'rejected', 'auth_rejected'],
  ['BlockedException', 400, 'contact support', 'rejected', 'account_locked'],
  ['ClusterNotFoundException', 400, 'Cluster not found.', 'rejected', 'deployment_missing'],
  ['ClientException', 400, 'TaskDefinition not found.', 'rejected', 'deployment_missing'],
  [
    'InvalidParameterException',
    400,
    'The specified capacity provider was not found.',
    'rejected',
    'deployment_missing',
  ],
  ['ClientException', 400, 'Too many tasks in the PROVISIONING state', 'rejected', 'no_capacity'],
  ['InvalidParameterException', 400, 'Value too long', 'rejected', 'input_invalid'],
  ['ServerException', 500, 'try later', 'unknown', 'start_unknown'],
])('%s with %d and "%s" is %s: %s', async (name, status, message, kind, code) => {
  const { provider, io, sent } = setup([() => awsJson({ __type: name, message }, status)])
  const answer = await provider.start(job(onGpu), io)
  expect(answer).toMatchObject({ kind, failure: { code } })
  if (code === 'auth_rejected')
    expect(answer).toMatchObject({ failure: { advice: expect.stringMatching('AWS has no token') } })
  if (name === 'ClusterNotFoundException')
    expect(answer).toMatchObject({ failure: { advice: expect.stringMatching(/`cluster` .* in ecs\(\)/) } })
  // The SDK would have sent most of these three times.
  expect(sent).toHaveLength(1)
})

test.each([
  ['no public URL and no bucket', {}, { webhookUrl: null, uploadUrl: (): null => null }, 'no_route_for_bytes'],
  ['a file without a link and no bucket', {}, { files: { image: file(3) } }, 'no_route_for_bytes'],
  ['plain http', {}, { uploadUrl: (): string => 'http://us.test/up' }, 'no_route_for_bytes'],
  ['an input that no environment holds', {}, { input: { prompt: 'x'.repeat(8_000) } }, 'input_too_large'],
])('%s is refused before anything is sent', async (_, options, more, code) => {
  const { provider, io, sent } = setup([], options)
  expect(await provider.start(job(onGpu, more), io)).toMatchObject({ kind: 'rejected', failure: { code } })
  expect(sent).toEqual([])
})

test('an input of any size goes through a bucket', async () => {
  const { provider, io } = setup([stored, stored, placed], { bucket: 'predictions' })
  expect(await provider.start(job(onGpu, { input: { prompt: 'x'.repeat(100_000) } }), io)).toMatchObject({
    kind: 'accepted',
  })
})

test('a bucket that refuses the input is a refusal that says which rights are needed; nothing was started', async () => {
  const denied = () =>
    new Response('<Error><Code>AccessDenied</Code></Error>', {
      status: 403,
      headers: { 'content-type': 'application/xml' },
    })
  const { provider, io, sent } = setup([denied], { bucket: 'predictions' })
  const answer = await provider.start(job(onGpu), io)
  expect(answer).toMatchObject({
    kind: 'rejected',
    failure: { code: 'auth_rejected', advice: expect.stringContaining('s3:ListBucket') },
  })
  expect(sent).toHaveLength(1)
})

test('credentials that nobody gave come from where the SDK looks, and are looked for once', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAFROMENV')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret-from-env')
  const { io, sent } = scripted([placed, placed])
  const provider = ecs({ region: 'eu-west-1', cluster: 'gpu' })
  await provider.start(job(onGpu), io)
  vi.unstubAllEnvs()
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  await provider.start(job(onGpu), io)
  expect(sent.map(({ headers }) => /Credential=(\w+)/.exec(headers.get('authorization') ?? '')?.[1])).toEqual([
    'AKIAFROMENV',
    'AKIAFROMENV',
  ])
  vi.unstubAllEnvs()
})

test('without credentials anywhere nothing is sent, and the failure says so', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere')
  const { io, sent } = scripted([])
  const answer = await ecs({ region: 'eu-west-1' }).start(job(onGpu), io)
  expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'auth_rejected' } })
  expect(sent).toEqual([])
  vi.unstubAllEnvs()
})

test('a start whose signal has ended before the call starts nothing', async () => {
  const { provider, io, sent } = setup([])
  const answer = await provider.start(job(onGpu), { ...io, signal: AbortSignal.abort() })
  expect(answer).toMatchObject({ kind: 'rejected' })
  expect(sent).toEqual([])
})

test('neither keys nor links nor secrets get into a failure or a handle', async () => {
  const echo = () => awsJson({ __type: 'InvalidParameterException', message: 'bad https://us.test/hooks/whisper' }, 400)
  const { provider, io } = setup([echo])
  const refused = JSON.stringify(await provider.start(job(onGpu), io))
  const { provider: other, io: ok } = setup([stored, placed], { bucket: 'predictions' })
  expect(refused + JSON.stringify(await other.start(job(onGpu), ok))).not.toMatch(
    /whisper|very-secret|session-secret|X-Amz/,
  )
})

test("a kit's hello tells which task it is; anything else is refused", async () => {
  const { provider, io } = setup([nothing])
  const to = { attemptId: 'attempt-1', target: null }
  const hear = async (body: unknown) =>
    provider.hear?.({ headers: new Headers(), body: new TextEncoder().encode(JSON.stringify(body)) }, io, 0, to)
  expect(await hear({ surefoot: 'hello', id: arn })).toEqual({
    deliveryId: `${arn} hello`,
    handle: { cluster: 'gpu', task: arn, stored: 'uploads/attempt-1/output' },
    observation: { status: 'running', word: 'hello' },
  })
  await expect(hear({ source: 'aws.ecs' })).rejects.toMatchObject({ failure: { code: 'provider_error' }, status: 422 })
})

interface Container {
  readonly environment: { readonly name: string; readonly value: string }[]
}

function containersOf(body: Record<string, unknown> = {}): Container[] {
  return (body.overrides as { containerOverrides: Container[] }).containerOverrides
}
