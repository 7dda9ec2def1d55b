import { expect, test } from 'vitest'
import { access, nothing, scripted, stored } from '../test-support.ts'
import { lambda } from './index.ts'

const handle = { folder: 'surefoot/attempt-1/' }
const marker = { attemptId: 'attempt-1', secret: 'whisper' }

function setup(answers: (() => Response)[]) {
  const provider = lambda({ ...access, bucket: 'predictions' })
  const { io, sent } = scripted(answers)
  return {
    poll: async () => provider.poll?.(handle, io),
    find: async () => provider.find?.(marker, 0, io),
    cancel: async () => provider.cancel?.(handle, io),
    calls: () => sent.map(({ method, url }) => `${method} ${url.pathname.split('/').at(-1)}`),
    sent,
  }
}

const object = (text: string) => () => new Response(text, { headers: { etag: '"1"' } })
const report = (state: object) => object(JSON.stringify(state))
const taken = () => new Response('<Error><Code>PreconditionFailed</Code></Error>', { status: 412 })

test.each([
  ['nothing', nothing, { status: 'queued', word: 'no report' }],
  [
    'progress',
    report({ state: 'running', stage: 'predicting', fraction: 0.4 }),
    { status: 'running', word: 'running', progress: { stage: 'predicting', fraction: 0.4 } },
  ],
  ['a cancel', report({ state: 'canceled' }), { status: 'canceled', word: 'canceled', metrics: { runMs: 0 } }],
])('where the kit has reported %s, that is what is seen', async (_, answer, seen) => {
  expect(await setup([answer]).poll()).toEqual(seen)
})

test('a failure comes with its words, a success with a link to what was uploaded', async () => {
  const failed = await setup([report({ state: 'failed', error: 'MemoryError: no', runMs: 700 })]).poll()
  expect(failed).toMatchObject({ status: 'failed', failure: { code: 'out_of_memory' }, metrics: { runMs: 700 } })
  const done = setup([report({ state: 'done', runMs: 900 }), object('A')])
  expect(await done.poll()).toMatchObject({
    status: 'succeeded',
    outputs: [{ kind: 'url', url: expect.stringContaining('/surefoot/attempt-1/output?') }],
    metrics: { runMs: 900 },
  })
  const lost = setup([report({ state: 'done' }), nothing])
  expect(await lost.poll()).toMatchObject({ status: 'succeeded', outputs: [] })
})

test.each([
  ['a word that no kit has', report({ state: 'resting' })],
  ['half a report', object('{"state":"runn')],
  ['a page', () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
])('%s is no report, and ends nothing', async (_, answer) => {
  await expect(setup([answer]).poll()).rejects.toMatchObject({ failure: { code: 'provider_error' } })
})

test('without the right to list, a report that is not there yet is a 403; the failure says which right is missing', async () => {
  const denied = () => new Response('<Error><Code>AccessDenied</Code></Error>', { status: 403 })
  await expect(setup([denied]).poll()).rejects.toMatchObject({
    failure: { code: 'auth_rejected', advice: expect.stringContaining('s3:ListBucket') },
  })
})

test('a run whose start was lost is found as soon as its kit has reported', async () => {
  expect(await setup([nothing]).find()).toEqual([])
  expect(await setup([report({ state: 'running', fraction: 0 })]).find()).toEqual([{ handle }])
  expect(await setup([report({ state: 'canceled' })]).find()).toEqual([])
})

test('a cancel takes the claim, so that a kit that comes later does nothing, and says so where polls look', async () => {
  const { cancel, calls, sent } = setup([stored, stored])
  expect(await cancel()).toBe('requested')
  expect(calls()).toEqual(['PUT claim', 'PUT state.json'])
  expect(sent[0]?.headers.get('if-none-match')).toBe('*')
  expect(sent[1]?.json()).toEqual({ state: 'canceled' })
})

test('a kit that has the claim cannot be stopped; a cancel that was cut off after its own claim goes on', async () => {
  expect(await setup([taken, object('r1')]).cancel()).toBe('impossible')
  const again = setup([taken, object('cancelled by Surefoot'), stored])
  expect(await again.cancel()).toBe('requested')
  expect(again.calls()).toEqual(['PUT claim', 'GET claim', 'PUT state.json'])
})
