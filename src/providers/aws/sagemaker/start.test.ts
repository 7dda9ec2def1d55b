import { expect, test } from 'vitest'
import { access, file, job, nothing, scripted, stored } from '../test-support.ts'
import { sagemaker } from './index.ts'

const [output, failure] = ['s3://results/out/1.out', 's3://results/failures/1-error.out']
const locations = { 'x-amzn-sagemaker-outputlocation': output, 'x-amzn-sagemaker-failurelocation': failure }
const taken =
  (headers: Record<string, string> = locations) =>
  () =>
    Response.json({ InferenceId: 'attempt-1' }, { status: 202, headers })
const kit = { endpoint: 'sharp-async', kit: true }
const stranger = { endpoint: 'sharp-async', inputs: { image: 'photo' } }

function setup(answers: (() => Response)[]) {
  return { provider: sagemaker({ ...access, bucket: 'predictions' }), ...scripted(answers) }
}

test('a start puts the input into the bucket, then asks for one inference with limits in time', async () => {
  const { provider, io, sent } = setup([stored, stored, taken()])
  expect(await provider.start(job(kit), io)).toEqual({
    kind: 'accepted',
    handle: { folder: 'surefoot/attempt-1/', output, failure },
  })
  expect(sent.map(({ method, url }) => `${method} ${url.origin}${url.pathname}`)).toEqual([
    'PUT https://predictions.s3.eu-west-1.amazonaws.com/surefoot/attempt-1/files/image',
    'PUT https://predictions.s3.eu-west-1.amazonaws.com/surefoot/attempt-1/input.json',
    'POST https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/sharp-async/async-invocations',
  ])
  expect(sent[1]?.json()).toMatchObject({
    focal_length: 30,
    image: expect.stringContaining('/surefoot/attempt-1/files/image?'),
    surefoot: {
      attempt: 'attempt-1',
      hello: 'https://us.test/hooks/whisper',
      claim: { url: expect.stringContaining('/claim?') },
      state: { url: expect.stringContaining('/state.json?') },
      upload: { url: expect.stringContaining('/output?') },
    },
  })
  const header = (name: string) => sent[2]?.headers.get(`x-amzn-sagemaker-${name}`)
  expect(['inputlocation', 'inference-id', 'requestttlseconds', 'invocationtimeoutseconds'].map(header)).toEqual([
    's3://predictions/surefoot/attempt-1/input.json',
    'attempt-1',
    '1800',
    '600',
  ])
})

test("a stranger's container gets its input and nothing of ours; files go by the bucket", async () => {
  const { provider, io, sent } = setup([stored, stored, taken()])
  const answer = await provider.start(job(stranger, { files: { image: file(3) } }), io)
  expect(answer).toEqual({ kind: 'accepted', handle: { output, failure } })
  expect(sent[1]?.json()).toEqual({
    focal_length: 30,
    photo: expect.stringContaining('/surefoot/attempt-1/files/image?'),
  })
})

test("limits stay within the vendor's bounds", async () => {
  const { provider, io, sent } = setup([stored, stored, taken()])
  await provider.start(job(kit, { runLimitMs: 1e12, deadlineInMs: 1e12 }), io)
  const header = (name: string) => sent[2]?.headers.get(`x-amzn-sagemaker-${name}`)
  expect([header('requestttlseconds'), header('invocationtimeoutseconds')]).toEqual(['21600', '3600'])
})

test('an answer that does not say where the result will be is enough for a kit, and for nobody else', async () => {
  const [ours, theirs] = [setup([stored, stored, taken({})]), setup([stored, stored, taken({})])]
  expect(await ours.provider.start(job(kit), ours.io)).toMatchObject({ handle: { folder: 'surefoot/attempt-1/' } })
  expect(await theirs.provider.start(job(stranger), theirs.io)).toMatchObject({ kind: 'unknown' })
})

test.each([
  ['ValidationError', 400, 'Endpoint sharp-async of account 1 not found.', 'rejected', 'deployment_missing'],
  ['ValidationError', 400, 'InvocationTimeoutSeconds is not valid', 'rejected', 'input_invalid'],
  ['ThrottlingException', 400, 'Rate exceeded', 'rejected', 'rate_limited'],
  ['AccessDeniedException', 403, 'not authorized', 'rejected', 'auth_rejected'],
  ['ServiceUnavailable', 503, 'later', 'unknown', 'start_unknown'],
  ['InternalFailure', 500, 'later', 'unknown', 'start_unknown'],
])('%s with %d and "%s" is %s: %s', async (name, status, message, kind, code) => {
  const refusal = () => Response.json({ message }, { status, headers: { 'x-amzn-errortype': name } })
  const { provider, io, sent } = setup([stored, stored, refusal])
  expect(await provider.start(job(kit), io)).toMatchObject({ kind, failure: { code } })
  expect(sent).toHaveLength(3)
})

test('an input that cannot be put is a refusal before any inference', async () => {
  const { provider, io, sent } = setup([nothing])
  expect(await provider.start(job(kit), io)).toMatchObject({ kind: 'rejected' })
  expect(sent).toHaveLength(1)
})

test.each([
  [{}, 'endpoint: '],
  [{ endpoint: 'sharp_async' }, "must be an endpoint's name"],
  [{ endpoint: 'sharp', hardware: 'ml.g5.xlarge' }, 'Unrecognized key: "hardware"'],
])('refuses the target %j and says why', (target, words) => {
  expect(() => sagemaker({ ...access, bucket: 'predictions' }).parseTarget(target)).toThrow(words)
})

test("a kit's hello leads to the attempt's place in the bucket; anything else is refused", async () => {
  const { provider, io } = setup([])
  const to = { attemptId: 'attempt-1', target: null }
  const hear = async (body: string) =>
    provider.hear?.({ headers: new Headers(), body: new TextEncoder().encode(body) }, io, 0, to)
  expect(await hear('{"surefoot":"hello","id":"r1"}')).toEqual({
    deliveryId: 'r1 hello',
    handle: { folder: 'surefoot/attempt-1/' },
    observation: { status: 'running', word: 'hello' },
  })
  await expect(hear('{"status":"done"}')).rejects.toMatchObject({ failure: { code: 'provider_error' }, status: 422 })
})
