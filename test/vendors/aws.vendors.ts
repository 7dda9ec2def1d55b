import { CreateClusterCommand, ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { type Reaction, startMoto } from './moto.ts'
import { assembleKit, create, freePort, predictSplat, settled, startVendor, startVendorGateway } from './support.ts'

const access = { region: 'us-east-1', credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' } }
const bucket = 'predictions'

/**
 * A gateway whose AWS is moto. Moto starts no containers and forgets events, so the test stands in for ECS, SageMaker and Lambda
 * themselves: at each start that moto took it runs `kits/aws`, told what AWS would tell it and nothing else.
 */
async function setup(kind: 'ecs' | 'sagemaker' | 'lambda', target: string, react: Reaction, more = '') {
  const { endpoint, set } = await startMoto(react)
  const config = { endpoint, ...access }
  const s3 = new S3Client({ ...config, forcePathStyle: true })
  await s3.send(new CreateBucketCommand({ Bucket: bucket }))
  const gateway = await startVendorGateway({
    imports: kind,
    provider: `${kind}({ ...${JSON.stringify({ ...config, bucket })}${more} })`,
    target,
    policy: { attempts: 1 },
  })
  // Photos, outputs and reports travel by the bucket; only the hello goes to the gateway.
  return { ...gateway, config, s3, set, trusts: [endpoint, gateway.url] }
}

/** Fargate, because moto places nothing on capacity of its own; the kit does not know where it runs. */
async function setupEcs(model = 'dummy') {
  const cwd = await assembleKit('ecs', model)
  // Moto stops a task at the first look; it is to run as long as its process does.
  const lasts = (times: number) => ({ model_name: 'ecs::task', transition: { progression: 'manual', times } })
  let started = 0
  const world = await setup(
    'ecs',
    `{ taskDefinition: 'kit', fargate: { vcpu: 1, memoryGb: 2 }, subnets: ['subnet-1'] }`,
    ({ headers, body }) => {
      if (!String(headers['x-amz-target']).endsWith('.RunTask')) return
      started += 1
      const told = JSON.parse(body.toString()) as {
        overrides: { containerOverrides: [{ environment: { name: string; value: string }[] }] }
      }
      const variables = told.overrides.containerOverrides[0].environment.map(({ name, value }) => [name, value])
      const worker = startVendor('python', ['worker.py', 'task'], {
        ...{ cwd, model, trusts: world.trusts },
        env: Object.fromEntries(variables),
      })
      void worker.ended.then(() => world.set('state-manager/set-transition', lasts(1))).catch(() => undefined)
    },
    `, cluster: 'gpu'`,
  )
  await world.set('state-manager/set-transition', lasts(1_000_000))
  const client = new ECSClient(world.config)
  await client.send(new CreateClusterCommand({ clusterName: 'gpu' }))
  const container = { name: 'main', image: 'kit', memory: 512 }
  await client.send(new RegisterTaskDefinitionCommand({ family: 'kit', containerDefinitions: [container] }))
  return { ...world, started: () => started }
}

test('ECS and S3: a photo becomes a verified splat, in one task', async () => {
  const { url, started } = await setupEcs()
  await predictSplat(url)
  expect(started()).toBe(1)
})

test('ECS: a model that refuses fails with its code, in its own words', async () => {
  const { url } = await setupEcs('trial_model:refuses')
  await expectRefusal(url)
})

async function setupSagemaker(model = 'dummy') {
  const cwd = await assembleKit('sagemaker', model)
  const port = await freePort()
  const world = await setup('sagemaker', `{ endpoint: 'kit', kit: true }`, ({ path, headers }) => {
    if (path.endsWith('/async-invocations')) void invoke(headers).catch(() => container.child.kill())
  })
  const env = { SAGEMAKER_BIND_TO_PORT: String(port) }
  const { trusts } = world
  const container = startVendor('python', ['worker.py', 'serve'], { cwd, model, trusts, env })
  async function invoke(headers: Record<string, unknown>): Promise<void> {
    const { pathname } = new URL(String(headers['x-amzn-sagemaker-inputlocation']))
    const { Body } = await world.s3.send(new GetObjectCommand({ Bucket: bucket, Key: pathname.slice(1) }))
    const body = await Body?.transformToString()
    const answer = await fetch(`http://127.0.0.1:${port}/invocations`, { method: 'POST', body })
    // An answer in chunks would be refused.
    if (answer.status !== 200 || answer.headers.get('content-length') === null) throw new Error('no proper answer')
  }
  return world
}

test('SageMaker and S3: a photo becomes a verified splat, claimed once', async () => {
  const { url, s3 } = await setupSagemaker()
  await predictSplat(url)
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }))
  const names = Contents.map(({ Key = '' }) => Key.split('/').slice(2).join('/')).filter(name => name !== '')
  expect(names.toSorted()).toEqual(['claim', 'files/image', 'input.json', 'output', 'state.json'])
})

test('SageMaker: a model that refuses fails with its code, in its own words', async () => {
  const { url } = await setupSagemaker('trial_model:refuses')
  await expectRefusal(url)
})

async function setupLambda(model = 'dummy') {
  const cwd = await assembleKit('lambda', model)
  const script = `
import json, sys
from function import handler
class Context: aws_request_id = "request1"
print(json.dumps(handler(json.loads(sys.argv[1]), Context())))`
  const world = await setup('lambda', `{ function: 'kit', memoryMb: 1024 }`, ({ path, body }) => {
    if (path.endsWith('/functions/kit/invocations'))
      startVendor('python', ['-c', script, body.toString()], { cwd, model, trusts: world.trusts })
  })
  await world.set('config', { lambda: { use_docker: false } })
  const code = { ImageUri: '123456789012.dkr.ecr.us-east-1.amazonaws.com/kit:1' }
  const Role = await createRole(world.config.endpoint)
  await new LambdaClient(world.config).send(
    new CreateFunctionCommand({ FunctionName: 'kit', PackageType: 'Image', Code: code, Role }),
  )
  return world
}

/** A role that Lambda may take; its ARN. By hand, since no client of IAM is at hand. */
async function createRole(endpoint: string): Promise<string> {
  const trust = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }],
  }
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      // Moto reads which service is meant out of it, and checks nothing.
      authorization: `AWS4-HMAC-SHA256 Credential=AKIATEST/20261124/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0`,
    },
    body: new URLSearchParams({
      Action: 'CreateRole',
      Version: '2010-05-08',
      RoleName: 'kit',
      AssumeRolePolicyDocument: JSON.stringify(trust),
    }),
  })
  expect(answer.status).toBe(200)
  return 'arn:aws:iam::123456789012:role/kit'
}

test('Lambda and S3: a photo becomes a verified splat', async () => {
  const { url } = await setupLambda()
  await predictSplat(url)
})

test('Lambda: a model that refuses fails with its code, in its own words', async () => {
  const { url } = await setupLambda('trial_model:refuses')
  await expectRefusal(url)
})

async function expectRefusal(url: string): Promise<void> {
  const { prediction } = await settled(url, (await create(url)).id)
  expect(prediction.status).toBe('failed')
  expect(prediction.surefoot.failure).toMatchObject({
    code: 'input_invalid',
    message: expect.stringContaining('There is no scene in the photo'),
  })
}
