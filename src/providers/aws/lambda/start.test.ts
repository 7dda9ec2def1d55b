import { expect, test } from 'vitest'
import { access, file, job, scripted, stored } from '../test-support.ts'
import { lambda } from './index.ts'

const accepted = () => new Response(null, { status: 202, headers: { 'x-amzn-requestid': 'r1' } })
const target = { function: 'relief:live', memoryMb: 4096 }
const folder = 'https://predictions.s3.eu-west-1.amazonaws.com/surefoot/attempt-1'

function setup(answers: (() => Response)[]) {
  return { provider: lambda({ ...access, bucket: 'predictions' }), ...scripted(answers) }
}

test('a start is one event, which tells the kit where to claim, to report and to upload', async () => {
  const { provider, io, sent } = setup([stored, accepted])
  expect(await provider.start(job(target), io)).toEqual({ kind: 'accepted', handle: { folder: 'surefoot/attempt-1/' } })
  expect(sent).toHaveLength(2)
  const { url, headers } = sent[1] ?? expect.fail('nothing was sent')
  expect(url.href).toBe('https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/relief%3Alive/invocations')
  expect(headers.get('x-amz-invocation-type')).toBe('Event')
  const input = sent[1]?.json() as { surefoot: { [name: string]: { url: string } } }
  expect(input).toMatchObject({
    focal_length: 30,
    // By the bucket, although the gateway has a link that the worker could reach.
    image: expect.stringContaining(`${folder}/files/image?`),
    surefoot: { attempt: 'attempt-1', hello: 'https://us.test/hooks/whisper' },
  })
  const links = ['claim', 'state', 'upload'].map(name => new URL(input.surefoot[name]?.url ?? ''))
  expect(links.map(({ origin, pathname }) => origin + pathname)).toEqual([
    `${folder}/claim`,
    `${folder}/state.json`,
    `${folder}/output`,
  ])
  // Only one PUT of the claim may win: the link is no good without the condition.
  expect(links.map(({ searchParams }) => searchParams.get('X-Amz-SignedHeaders'))).toEqual([
    'host;if-none-match',
    'host',
    'host',
  ])
})

test('a file goes into the bucket, and an input that no event holds, too', async () => {
  const { provider, io, sent } = setup([stored, stored, accepted])
  const more = { files: { image: file(3) }, input: { prompt: 'x'.repeat(300_000) } }
  expect(await provider.start(job(target, more), io)).toMatchObject({ kind: 'accepted' })
  expect(sent.slice(0, 2).map(({ method, url }) => `${method} ${url.origin}${url.pathname}`)).toEqual([
    `PUT ${folder}/files/image`,
    `PUT ${folder}/input.json`,
  ])
  expect(sent[2]?.json()).toEqual({
    surefoot: { input: { url: expect.stringContaining(`${folder}/input.json?`) } },
  })
})

test.each([
  ['ResourceNotFoundException', 404, 'rejected', 'deployment_missing'],
  ['ResourceConflictException', 409, 'rejected', 'provider_error'],
  ['TooManyRequestsException', 429, 'rejected', 'rate_limited'],
  ['RequestTooLargeException', 413, 'rejected', 'input_too_large'],
  ['AccessDeniedException', 403, 'rejected', 'auth_rejected'],
  ['ServiceException', 500, 'unknown', 'start_unknown'],
  ['EC2ThrottledException', 502, 'unknown', 'start_unknown'],
])('%s with %d is %s: %s', async (name, status, kind, code) => {
  const answer = () => Response.json({ Message: 'no' }, { status, headers: { 'x-amzn-errortype': name } })
  const { provider, io, sent } = setup([stored, answer])
  expect(await provider.start(job(target), io)).toMatchObject({ kind, failure: { code } })
  expect(sent).toHaveLength(2)
})

test('a success that is none of an event leaves it open, and one that tells of an error is a failed run', async () => {
  const open = setup([stored, () => new Response('{"ok":true}', { status: 200 })])
  expect(await open.provider.start(job(target), open.io)).toMatchObject({ kind: 'unknown' })
  const error = { 'x-amz-function-error': 'Unhandled' }
  const failed = setup([stored, () => new Response('{"errorMessage":"boom"}', { status: 200, headers: error })])
  expect(await failed.provider.start(job(target), failed.io)).toMatchObject({
    kind: 'accepted',
    seen: { status: 'failed', failure: { code: 'model_error', message: expect.stringContaining('boom') } },
  })
})

test('a bucket that refuses is a refusal before any event', async () => {
  const denied = () => new Response('<Error><Code>NoSuchBucket</Code></Error>', { status: 404 })
  const { provider, io, sent } = setup([denied])
  const answer = await provider.start(job(target, { files: { image: file(3) } }), io)
  expect(answer).toMatchObject({ kind: 'rejected', failure: { code: 'deployment_missing' } })
  expect(sent).toHaveLength(1)
})

test.each([
  [{ function: 'relief', gpus: 1 }, 'Lambda has no GPU'],
  [{ function: 'relief', hardware: 'g5.xlarge' }, 'Lambda has no GPU'],
  [{}, 'function: '],
  [{ function: 'relief', memoryMb: 20_000 }, 'memoryMb: '],
])('refuses the target %j and says why', (target, words) => {
  expect(() => lambda({ ...access, bucket: 'predictions' }).parseTarget(target)).toThrow(words)
})

test('a bucket must be given', () => {
  expect(() => lambda(access as never)).toThrow('lambda(): bucket: must be given')
})

test('a second costs by memory, a run by the time that its kit took and the request; what never ran costs nothing', () => {
  const provider = lambda({ ...access, bucket: 'predictions' })
  const parsed = provider.parseTarget(target)
  expect(provider.pricePerSecond(parsed)).toBeCloseTo(4 * 0.0000166667)
  const cost = (runMs: number) =>
    provider.cost({ status: 'succeeded', word: 'done', metrics: { runMs } }, parsed)?.amount
  expect(cost(1500)).toBeCloseTo(1.5 * 4 * 0.0000166667 + 0.0000002)
  expect(cost(0)).toBe(0)
  expect([provider.pricesAsOf?.(parsed), provider.pricesAsOf?.({ function: 'a' })]).toEqual(['2026-04-01', null])
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
