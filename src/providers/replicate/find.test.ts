import { expect, test } from 'vitest'
import { replicate } from './index.ts'

const marker = { attemptId: 'attempt-1', secret: 'whisper' }
const since = Date.UTC(2026, 0, 1)

/** A provider over a table of answers by path; every request is noted. */
function setup(table: { [path: string]: unknown }) {
  const asked: string[] = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    const { pathname, search, host } = new URL(request.url)
    asked.push(`${host}${pathname}${search}`)
    const found = table[`${pathname}${search}`] ?? table[pathname]
    return found === undefined ? Response.json({ detail: 'none' }, { status: 404 }) : Response.json(found)
  }
  const provider = replicate({ token: 't' })
  const find = () => provider.find?.(marker, since, { fetch, signal: new AbortController().signal })
  return { asked, find }
}

const at = (ms: number) => new Date(since + ms).toISOString()
const run = (id: string, more: object = {}) => ({ id, status: 'processing', created_at: at(1000), input: {}, ...more })
const list = (results: unknown[], next: string | null = null) => ({ results, next })

test('finds a run by the secret in its webhook, with what is already known of it', async () => {
  const { find } = setup({
    '/v1/predictions': list([
      run('p1', { webhook: 'https://us.test/hooks/another' }),
      run('p2', { webhook: 'https://us.test/hooks/whisper' }),
    ]),
  })
  expect(await find()).toMatchObject([{ handle: { id: 'p2' }, seen: { status: 'running' } }])
})

test('finds a kit by the attempt in its input', async () => {
  const { find } = setup({ '/v1/predictions': list([run('p1', { input: { surefoot_attempt: 'attempt-1' } })]) })
  expect(await find()).toMatchObject([{ handle: { id: 'p1' } }])
})

test("finds a run by a file that was uploaded for the attempt, and not by another attempt's", async () => {
  const { find } = setup({
    '/v1/predictions': list([
      run('p1', { webhook: null, input: { photo: 'https://api.replicate.com/v1/files/f1' } }),
      run('p2', { webhook: null, input: { photo: 'https://api.replicate.com/v1/files/f2' } }),
    ]),
    '/v1/files': list([
      { id: 'f1', metadata: { surefoot_attempt: 'attempt-0' }, urls: { get: 'x' } },
      { id: 'f2', metadata: { surefoot_attempt: 'attempt-1' }, urls: { get: 'x' } },
    ]),
  })
  expect(await find()).toMatchObject([{ handle: { id: 'p2' } }])
})

test('looks at each run singly when the list leaves webhooks out, but only at those of that time', async () => {
  const { find, asked } = setup({
    '/v1/predictions': list([run('p3', { created_at: at(3_600_000) }), run('p2'), run('p1')]),
    '/v1/predictions/p2': run('p2', { webhook: 'https://us.test/hooks/another' }),
    '/v1/predictions/p1': run('p1', { webhook: 'https://us.test/hooks/whisper' }),
  })
  expect(await find()).toMatchObject([{ handle: { id: 'p1' } }])
  expect(asked.slice(1)).toEqual(['api.replicate.com/v1/predictions/p2', 'api.replicate.com/v1/predictions/p1'])
})

test('walks the pages back to the time of the start and no further', async () => {
  const next = (cursor: string) => `https://api.replicate.com/v1/predictions?cursor=${cursor}`
  const { find, asked } = setup({
    '/v1/predictions?cursor=2': list(
      [run('p2', { webhook: null }), run('old', { created_at: at(-600_000) })],
      next('3'),
    ),
    '/v1/predictions': list([run('p1', { webhook: null })], next('2')),
  })
  expect(await find()).toEqual([])
  expect(asked).toEqual([
    'api.replicate.com/v1/predictions?created_after=2025-12-31T23%3A58%3A00.000Z',
    'api.replicate.com/v1/predictions?cursor=2',
  ])
})

test('the next page is asked for at our base URL, wherever its URL points', async () => {
  const { find, asked } = setup({
    '/v1/predictions?cursor=2': list([]),
    '/v1/predictions': list([run('p1', { webhook: null })], 'https://thief.example/steal?cursor=2'),
  })
  await find()
  expect(asked.at(-1)).toBe('api.replicate.com/v1/predictions?cursor=2')
})

test('says that it cannot tell, rather than "none", when there is too much to look through', async () => {
  const endless = setup({
    '/v1/predictions': list([run('p1', { webhook: null })], 'https://api.replicate.com/v1/predictions?cursor=1'),
  })
  await expect(endless.find()).rejects.toMatchObject({ failure: { code: 'provider_error' } })
  const crowded = setup({ '/v1/predictions': list(Array.from({ length: 26 }, (_, index) => run(`p${index}`))) })
  await expect(crowded.find()).rejects.toMatchObject({ failure: { code: 'provider_error' } })
  expect(crowded.asked).toHaveLength(1)
})
