import { expect, test } from 'vitest'
import { access } from '../test-support.ts'
import { type EcsOptions, ecs } from './index.ts'
import { parseTarget } from './options.ts'

const fargate = { taskDefinition: 'relief', fargate: { vcpu: 1, memoryGb: 2 }, subnets: ['subnet-1'] }

test.each([
  [{ taskDefinition: 'sharp' }],
  [{ taskDefinition: 'sharp:3', capacityProvider: 'gpu', gpus: 1, hardware: 'g6e.xlarge', container: 'kit' }],
  [{ ...fargate, inputs: { image: 'photo' }, publicIp: true, securityGroups: ['sg-1'] }],
])('takes the target %j as it is', target => {
  expect(parseTarget(target)).toEqual(target)
})

test.each([
  [null, 'ecs target: '],
  [{}, 'taskDefinition: '],
  [{ taskDefinition: 'arn:aws:ecs:x' }, 'must be family or family:revision'],
  [{ ...fargate, gpus: 1 }, 'Fargate has no GPU'],
  [{ ...fargate, hardware: 'g5.xlarge' }, 'Fargate has no GPU'],
  [{ taskDefinition: 'sharp', capacityProvider: 'FARGATE_SPOT', gpus: 1 }, 'Fargate has no GPU'],
  [{ taskDefinition: 'sharp', capacityProvider: 'FARGATE' }, 'say fargate: { vcpu, memoryGb }'],
  [{ ...fargate, capacityProvider: 'gpu' }, 'not both'],
  [{ ...fargate, subnets: undefined }, 'subnets: '],
  [{ taskDefinition: 'sharp', hardware: 'p9.huge' }, 'no price is known for hardware "p9.huge"'],
  [{ taskDefinition: 'sharp', kit: true }, 'Unrecognized key: "kit"'],
])('refuses the target %j and says why', (target, words) => {
  expect(() => parseTarget(target)).toThrow(words)
})

test.each([
  [{ region: 'Frankfurt' }, 'region: must be a region'],
  [{ region: 'eu-west-1', endpoint: 'http://aws.example' }, 'endpoint: must be https'],
  [{ region: 'eu-west-1', bucket: 'No Bucket' }, "bucket: must be a bucket's name"],
  [{ region: 'eu-west-1', bucket: 'good', prefix: 'no-slash' }, 'prefix: must end with a slash'],
  [{ region: 'eu-west-1', prefix: 'a/' }, 'prefix: means nothing without a bucket'],
  [{ region: 'eu-west-1', credentials: { accessKeyId: 'a' } }, 'credentials.secretAccessKey: '],
  [{ region: 'eu-west-1', token: 'a' }, 'Unrecognized key: "token"'],
])('refuses the options %j and says why', (options, words) => {
  expect(() => ecs(options as EcsOptions)).toThrow(words)
})

test('bytes need our public URL only where there is no bucket', () => {
  const forms = (options: object) => {
    const { inputForms, outputForms } = ecs({ ...access, ...options }).limits
    return { inputForms, outputForms }
  }
  expect(forms({})).toEqual({ inputForms: ['url'], outputForms: ['stored'] })
  expect(forms({ bucket: 'predictions' })).toEqual({ inputForms: ['url', 'upload'], outputForms: ['url'] })
})

test('only a place that is not AWS is trusted for private addresses', () => {
  expect(ecs(access).trustedOrigins).toEqual([])
  expect(ecs({ ...access, endpoint: 'http://127.0.0.1:9001' }).trustedOrigins).toEqual(['http://127.0.0.1:9001'])
})

test("a second costs what the target says, else what its instance or its size costs, with that list's date", () => {
  const provider = ecs(access)
  const prices = [
    { taskDefinition: 'a', hardware: 'g6e.xlarge', pricePerSecond: 0.5 },
    { taskDefinition: 'a', hardware: 'g6e.xlarge' },
    fargate,
    { taskDefinition: 'a' },
  ].map(target => [provider.pricePerSecond(parseTarget(target)), provider.pricesAsOf?.(parseTarget(target))])
  expect(prices).toEqual([
    [0.5, null],
    [1.861 / 3600, '2026-07-20'],
    [expect.closeTo(0.00001371, 7), '2026-04-01'],
    [null, null],
  ])
})
