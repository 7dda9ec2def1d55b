import { expect, test } from 'vitest'
import { replicate } from './index.ts'

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
  const provider = replicate({ token: 't' })
  const poll = async (handle = { id: 'p1' }) => provider.poll?.(handle, io)
  const cancel = async () => provider.cancel?.({ id: 'p1' }, io)
  return { asked, poll, cancel }
}

const problem = (status: number) => Response.json({ detail: 'because' }, { status })
const page = (status: number) => new Response('<html>', { status, headers: { 'content-type': 'text/html' } })

test('a 404 of the API means gone; a 404 of something in between means nothing', async () => {
  expect(await setup(() => problem(404)).poll()).toEqual({ status: 'gone', word: '404' })
  await expect(setup(() => page(404)).poll()).rejects.toMatchObject({ failure: { code: 'deployment_missing' } })
})

test('an unreadable answer says what came instead', async () => {
  const answer = setup(() => page(200)).poll()
  await expect(answer).rejects.toThrow('Replicate answered 200 without a readable body (text/html).')
})

test("another prediction's answer is no answer", async () => {
  const answer = setup(() => Response.json({ id: 'p2', status: 'succeeded' })).poll()
  await expect(answer).rejects.toMatchObject({ failure: { code: 'provider_error' } })
})

test('a handle cannot leave the predictions', async () => {
  const { asked, poll } = setup(() => problem(404))
  await poll({ id: '../account' })
  expect(asked).toEqual(['GET /v1/predictions/..%2Faccount'])
})

test.each([
  ['still running', () => Response.json({ id: 'p1', status: 'processing' })],
  ['canceled at once', () => Response.json({ id: 'p1', status: 'canceled' })],
  ['over before', () => Response.json({ id: 'p1', status: 'succeeded' })],
  ['refused as over', () => problem(409)],
  ['not known yet', () => problem(404)],
])('a cancel that finds it %s leaves it to a poll how it ended', async (_, answer) => {
  const { asked, cancel } = setup(answer)
  expect(await cancel()).toBe('requested')
  expect(asked).toEqual(['POST /v1/predictions/p1/cancel'])
})

test.each([401, 429, 500, 503])('a cancel answered with %d was not asked', async status => {
  await expect(setup(() => problem(status)).cancel()).rejects.toMatchObject({ name: 'SurefootError' })
})
