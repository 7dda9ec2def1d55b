import { expect, test } from 'vitest'
import { runpod } from './index.ts'

function setup(answer: () => Response) {
  const asked: string[] = []
  const io = {
    signal: new AbortController().signal,
    async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
      const request = new Request(input, init)
      asked.push(`${request.method} ${new URL(request.url).pathname}`)
      return answer()
    },
  }
  const provider = runpod({ apiKey: 'k' })
  const poll = async (handle = { endpoint: 'abc123', id: 'j1' }) => provider.poll?.(handle, io)
  const cancel = async () => provider.cancel?.({ endpoint: 'abc123', id: 'j1' }, io)
  const health = async () => provider.health?.({ endpoint: 'abc123' }, io)
  return { asked, poll, cancel, health }
}

const problem = (status: number) => Response.json({ error: 'because' }, { status })
const page = (status: number) => new Response('<html>', { status, headers: { 'content-type': 'text/html' } })

test.each([
  ['JSON', () => problem(404)],
  ['plain text', () => new Response('job not found', { status: 404 })],
])('a 404 of the API as %s means gone', async (_, answer) => {
  expect(await setup(answer).poll()).toEqual({ status: 'gone', word: '404' })
})

test('a 404 of something in between means nothing', async () => {
  await expect(setup(() => page(404)).poll()).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})

test('an unreadable answer says what came instead', async () => {
  await expect(setup(() => page(200)).poll()).rejects.toThrow(
    'RunPod answered 200 without a readable body (text/html).',
  )
})

test("another job's answer is no answer", async () => {
  const answer = setup(() => Response.json({ id: 'j2', status: 'COMPLETED' })).poll()
  await expect(answer).rejects.toMatchObject({ failure: { code: 'provider_error' } })
})

test('a handle cannot leave the jobs of its endpoint', async () => {
  const { asked, poll } = setup(() => problem(404))
  await poll({ endpoint: '../x', id: '../health' })
  expect(asked).toEqual(['GET /v2/..%2Fx/status/..%2Fhealth'])
})

test.each([
  ['confirms at once', () => Response.json({ id: 'j1', status: 'CANCELLED' })],
  ['finds it over', () => Response.json({ id: 'j1', status: 'COMPLETED' })],
  ['is refused as over', () => problem(400)],
  ['finds nothing', () => problem(404)],
])('a cancel that %s leaves it to a poll how it ended', async (_, answer) => {
  const { asked, cancel } = setup(answer)
  expect(await cancel()).toBe('requested')
  expect(asked).toEqual(['POST /v2/abc123/cancel/j1'])
})

test.each([401, 429, 500, 503])('a cancel answered with %d was not asked', async status => {
  await expect(setup(() => problem(status)).cancel()).rejects.toMatchObject({ name: 'SurefootError' })
})

test.each([
  [{ inQueue: 0 }, {}, 'ok'],
  [{ inQueue: 0 }, { unhealthy: 1 }, 'ok'],
  [{ inQueue: 2 }, { running: 3, unhealthy: 1 }, 'queueing'],
  [{ inQueue: 2 }, { initializing: 1, unhealthy: 2 }, 'crash-loop'],
  [{ inQueue: 2 }, { initializing: 1 }, 'queueing'],
  [{ inQueue: 2 }, { throttled: 2 }, 'queueing'],
  [{ inQueue: 2 }, { idle: 0, running: 0 }, 'no-workers'],
  [{ inQueue: 2 }, {}, 'unknown'],
  [{}, { idle: 1 }, 'unknown'],
])('jobs %j and workers %j are %s', async (jobs, workers, state) => {
  const health = await setup(() => Response.json({ jobs, workers })).health()
  expect(health).toMatchObject({ state, queued: 'inQueue' in jobs ? jobs.inQueue : null, workers })
})

test('health says its numbers in one sentence', async () => {
  const { asked, health } = setup(() => Response.json({ jobs: { inQueue: 2 }, workers: { idle: 0, unhealthy: 3 } }))
  expect((await health())?.message).toBe(
    'RunPod: workers start and die before they take a job; read their logs (waiting: 2; workers: 3 unhealthy).',
  )
  expect(asked).toEqual(['GET /v2/abc123/health'])
})

test.each([
  ['whole seconds, rounded up', { status: 'succeeded', word: 'COMPLETED', metrics: { runMs: 1437 } }, 2 * 0.00053],
  ['a worker never had it', { status: 'failed', word: 'TIMED_OUT' }, 0],
  ['not known yet', { status: 'running', word: 'IN_PROGRESS' }, null],
] as const)('a cost is an estimate: %s', (_, observation, amount) => {
  const provider = runpod({ apiKey: 'k' })
  const cost = provider.cost(observation, provider.parseTarget({ endpoint: 'abc123', hardware: 'l40s' }))
  expect(cost).toEqual(amount === null ? null : { amount, currency: 'USD', estimated: true })
})
