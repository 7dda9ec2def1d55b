import { expect, test } from 'vitest'
import { cog } from './index.ts'

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
  const provider = cog({ baseUrl: 'http://cog.test/model-1' })
  const poll = async () => provider.poll?.({ id: 'a1' }, io)
  const cancel = async (id = 'a1') => provider.cancel?.({ id }, io)
  const health = async () => provider.health?.({}, io)
  return { provider, asked, poll, cancel, health }
}

const empty = (status: number) => () => Response.json({}, { status })
const page = (status: number) => () => new Response('<html>', { status, headers: { 'content-type': 'text/html' } })

test('looking asks for the health of the server and never names the run', async () => {
  const { asked, poll } = setup(() => Response.json({ status: 'BUSY' }))
  expect(await poll()).toEqual({ status: 'running', word: 'BUSY' })
  expect(asked).toEqual(['GET /model-1/health-check'])
})

test.each([
  ['404', empty(404)],
  ['a page', page(200)],
  ['no health', empty(200)],
])('%s says nothing of the run', async (_, answer) => {
  await expect(setup(answer).poll()).rejects.toMatchObject({ name: 'SurefootError' })
})

test.each([
  ['is taken', empty(200), 'requested'],
  ['finds nothing in flight', empty(404), 'ended'],
])('a cancel that %s', async (_, answer, expected) => {
  const { asked, cancel } = setup(answer)
  expect(await cancel()).toBe(expected)
  expect(asked).toEqual(['POST /model-1/predictions/a1/cancel'])
})

test.each([
  ['a 404 of something in between', page(404)],
  ['a 404 of another router', () => Response.json({ detail: 'Not Found' }, { status: 404 })],
  ['401', empty(401)],
  ['503', page(503)],
])('%s was no answer to a cancel', async (_, answer) => {
  await expect(setup(answer).cancel()).rejects.toMatchObject({ name: 'SurefootError' })
})

test('a handle cannot leave the runs of its server', async () => {
  const { asked, cancel } = setup(empty(404))
  await cancel('../shutdown')
  expect(asked).toEqual(['POST /model-1/predictions/..%2Fshutdown/cancel'])
})

test("another adapter's handle is refused", async () => {
  const { provider } = setup(empty(200))
  const io = { fetch, signal: new AbortController().signal }
  await expect(provider.cancel?.({ endpoint: 'e', id: 'a1' }, io)).rejects.toMatchObject({
    failure: { code: 'internal' },
  })
})

test.each([
  ['READY', 'ok'],
  ['BUSY', 'queueing'],
  ['STARTING', 'queueing'],
  ['SETUP_FAILED', 'crash-loop'],
  ['DEFUNCT', 'no-workers'],
  ['UNHEALTHY', 'no-workers'],
  ['UNKNOWN', 'unknown'],
  ['NEW_WORD', 'unknown'],
])('a server that is %s is %s', async (status, state) => {
  const { health } = setup(() => Response.json({ status }))
  expect(await health()).toMatchObject({ state, message: expect.stringMatching(`\\(${status}\\)`), queued: null })
})

test('an unhealthy server says why', async () => {
  const { health } = setup(() => Response.json({ status: 'UNHEALTHY', user_healthcheck_error: 'channel closed' }))
  expect((await health())?.message).toMatch(/restart the container \(UNHEALTHY\): channel closed\.$/)
})

test('a cost is the time of the run by the price of the machine, and an estimate', () => {
  const { provider } = setup(empty(200))
  const observation = { status: 'succeeded', word: 'succeeded', metrics: { runMs: 1500 } } as const
  expect(provider.cost(observation, { pricePerSecond: 0.002 })).toEqual({
    amount: 0.003,
    currency: 'USD',
    estimated: true,
  })
  expect(provider.cost(observation, {})).toBeNull()
  expect(provider.cost({ status: 'running', word: 'BUSY' }, { pricePerSecond: 0.002 })).toBeNull()
})
