import { expect, test } from 'vitest'
import { access, awsJson, nothing, scripted } from '../test-support.ts'
import { sagemaker } from './index.ts'

const locations = { output: 's3://results/out/1.out', failure: 's3://results/failures/1-error.out' }
const kit = { folder: 'surefoot/attempt-1/', ...locations }

function setup(answers: (() => Response)[], handle: object = kit) {
  const provider = sagemaker({ ...access, bucket: 'predictions' })
  const { io, sent } = scripted(answers)
  return {
    poll: async () => provider.poll?.({ ...handle }, io),
    cancel: async () => provider.cancel?.({ ...handle }, io),
    health: async () => provider.health?.(provider.parseTarget({ endpoint: 'sharp' }), io),
    calls: () => sent.map(({ method, url }) => `${method} ${url.hostname.split('.')[0]}${url.pathname}`),
  }
}

const object = (text: string) => () => new Response(text, { headers: { etag: '"1"' } })

test("a kit's run is seen by its reports; while it has none, or goes on, the endpoint's own error is looked for", async () => {
  const { poll, calls } = setup([object('{"state":"running","fraction":0.4}'), nothing])
  expect(await poll()).toMatchObject({ status: 'running', progress: { fraction: 0.4 } })
  expect(calls()).toEqual(['GET predictions/surefoot/attempt-1/state.json', 'GET results/failures/1-error.out'])
  expect(await setup([nothing, nothing]).poll()).toEqual({ status: 'queued', word: 'no report' })
})

test("a stranger's run is there or not: an answer, an error, or nothing yet", async () => {
  const done = await setup([object('A')], locations).poll()
  expect(done).toMatchObject({
    status: 'succeeded',
    outputs: [{ kind: 'url', url: expect.stringContaining('results.s3.') }],
  })
  expect(await setup([nothing, nothing], locations).poll()).toEqual({ status: 'queued', word: 'no object' })
  expect(await setup([nothing, object('boom')], locations).poll()).toMatchObject({ status: 'failed' })
})

test.each([
  ['Received server error (500) from primary with message "CUDA out of memory".', 'out_of_memory'],
  ['Received server error (500) from primary with message "KeyError: image".', 'model_error'],
  ['Model invocation timed out.', 'run_timeout'],
  ['The request expired before it was processed.', 'queue_timeout'],
  ['Unable to download the input from the input location.', 'provider_error'],
])('"%s" is %s', async (words, code) => {
  expect(await setup([nothing, object(words)]).poll()).toMatchObject({ status: 'failed', failure: { code } })
})

test('what expired in the queue cost nothing', async () => {
  const seen = await setup([nothing, object('The request expired.')]).poll()
  expect(seen?.metrics).toEqual({ runMs: 0 })
})

test("another container than a kit's cannot be stopped", async () => {
  const { cancel, calls } = setup([], locations)
  expect(await cancel()).toBe('impossible')
  expect(calls()).toEqual([])
})

const variants = (current: number, desired: number) => [
  { CurrentInstanceCount: current, DesiredInstanceCount: desired },
]

test.each([
  ['InService', variants(1, 1), 'ok', 'instances are up'],
  ['InService', variants(0, 1), 'queueing', 'wait for instances that are starting'],
  ['InService', variants(0, 0), 'unknown', 'HasBacklogWithoutCapacity'],
  ['InService', undefined, 'unknown', 'tells nothing of its instances'],
  ['Failed', variants(0, 1), 'no-workers', 'does not serve'],
])('an endpoint that is %s with %j is %s', async (status, ProductionVariants, state, words) => {
  const answer = () => awsJson({ EndpointStatus: status, ProductionVariants })
  expect(await setup([answer]).health()).toMatchObject({ state, message: expect.stringContaining(words), queued: null })
})
