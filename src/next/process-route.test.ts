import { expect, test, vi } from 'vitest'
import { createFailure, SurefootError } from '../core/failure.ts'
import type { Visitor } from '../http/context.ts'
import type { PredictionJson } from '../http/shapes.ts'
import type { CreateOptions, Predictions } from '../surefoot.ts'
import { createProcessRoute, type ProcessRouteOptions, type ProcessStatus } from './process-route.ts'

const address = 'https://app.example/api/process'
const photo = new File([new Uint8Array([0xff, 0xd8, 0xff])], 'photo.jpg', { type: 'image/jpeg' })

test('a form starts a prediction of the given model: files as files, other fields as their text', async () => {
  const { route, created } = setup({ model: 'surefoot/relief' })
  const response = await route.POST(post({ image: photo, focal_length: '35' }))
  expect(response.status).toBe(202)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.json()).toEqual({
    id: 'one',
    status: 'starting',
    stage: null,
    fraction: null,
    error: null,
    output: null,
    notice: 'A preview.',
  })
  expect(created).toEqual([
    { model: 'surefoot/relief', fields: { focal_length: '35' }, files: { image: expect.any(File) }, input: {} },
  ])
  const { image } = created[0]?.files ?? {}
  expect(image).toMatchObject({ name: 'photo.jpg', type: 'image/jpeg', size: 3 })
})

test('without a model the configuration chooses; inputs left empty and addresses in file fields are not passed on', async () => {
  const { route, created } = setup()
  await route.POST(post({ image: 'http://169.254.169.254/', depth: new File([], ''), focal_length: '' }))
  expect(created).toEqual([{ fields: {}, files: {}, input: {} }])
})

test('what is neither a form nor JSON is refused, and so is a body over the limit that does not state its length', async () => {
  const { route, created } = setup({ maxBytes: 1000 })
  const text = await route.POST(new Request(address, { method: 'POST', body: '{}' }))
  expect([text.status, await text.json()]).toEqual([
    400,
    { error: expect.stringContaining('Send the photo as a form'), code: 'input_invalid' },
  ])
  expect((await route.POST(new Request(address, { method: 'POST' }))).status).toBe(400)
  const simple = new Request(address, { method: 'POST', body: new URLSearchParams({ image: 'x' }) })
  expect((await route.POST(simple)).status).toBe(400)
  expect(simple.bodyUsed).toBe(false)
  const form = post({ image: new File([new Uint8Array(1000)], 'large.jpg') })
  // A stream states no length.
  const body = (await form.blob()).stream()
  const large = await route.POST(new Request(form, { body, duplex: 'half' }))
  expect([large.status, await large.json()]).toEqual([
    413,
    { error: 'The body is larger than 1,000 bytes.', code: 'input_too_large' },
  ])
  expect(created).toEqual([])
  expect((await route.POST(post({ image: photo }))).status).toBe(202)
})

test('a form of very many parts is refused before it was read, and so is one that breaks off', async () => {
  const { route, created } = setup()
  const parts = '--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n\r\n'.repeat(1000)
  for (const text of [parts, parts.replaceAll('content-disposition: form-data; name="a"', 'x: y')]) {
    let pulled = 0
    const body = new ReadableStream({
      pull(stream) {
        pulled += 1
        if (pulled > 900) stream.close()
        else stream.enqueue(new TextEncoder().encode(text))
      },
    })
    const response = await route.POST(multipart(body))
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, 'input_invalid'])
    expect(pulled).toBeLessThan(100)
  }
  const cut = new ReadableStream({
    start(stream) {
      stream.enqueue(
        new TextEncoder().encode('--b\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\nx'),
      )
      stream.error(new Error('the visitor left'))
    },
  })
  expect((await route.POST(multipart(cut))).status).toBe(400)
  expect((await route.POST(multipart('--b\r\ncontent-disposition: form-data; name="a"\r\n\r\nx'))).status).toBe(400)
  expect(
    (await route.POST(new Request(multipart(''), { headers: { 'content-type': 'multipart/form-data; x' } }))).status,
  ).toBe(400)
  expect(created).toEqual([])
})

function multipart(body: string | ReadableStream): Request {
  const headers = { 'content-type': 'multipart/form-data; boundary=b' }
  return new Request(address, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
}

test('status and progress by id, as the prediction has them', async () => {
  const { route } = setup({
    found: {
      ...begun,
      status: 'processing',
      surefoot: { ...begun.surefoot, progress: { stage: 'depth', fraction: 0.3 } },
    },
  })
  const response = await route.GET(new Request(`${address}?id=one`))
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ status: 'processing', stage: 'depth', fraction: 0.3, output: null })
})

test('a finished prediction names its file, which is streamed from the same route', async () => {
  const { route } = setup({ found: succeeded })
  const status = await statusFrom(await route.GET(new Request(`${address}?id=one`)))
  expect(status).toMatchObject({
    fraction: 1,
    output: { url: '/api/process?id=one&output', name: 'scene.ply', bytes: 3 },
  })
  const file = await route.GET(new Request(new URL(status.output?.url ?? '', address)))
  expect(Object.fromEntries(file.headers)).toEqual({
    'content-type': 'application/octet-stream',
    'content-length': '3',
    'content-disposition': 'attachment; filename="scene.ply"',
    'cache-control': 'private, max-age=3600',
  })
  expect(await file.text()).toBe('ply')
})

test('where files are in a bucket the file is redirected to, past the limits of hosts', async () => {
  const { route } = setup({ found: succeeded, bucketUrl: 'https://bucket.example/scene.ply?signed' })
  const response = await route.GET(new Request(`${address}?id=one&output`))
  expect([response.status, response.headers.get('location')]).toEqual([302, 'https://bucket.example/scene.ply?signed'])
})

const uploaded = 'abcdefghijklmnopqrstuvwxyz'

test.each([
  ['the id of an upload', { image: uploaded }, { id: uploaded }],
  ['base64', { image: Buffer.from('photo').toString('base64') }, 'photo'],
  ['a data URI', { image: `data:image/png;base64,${Buffer.from('photo').toString('base64')}` }, 'photo'],
])('JSON brings a file as %s, and other fields as they are', async (_, image, expected) => {
  const { route, created } = setup()
  expect((await route.POST(postJson({ ...image, focal_length: 35 }))).status).toBe(202)
  expect(created).toMatchObject([{ input: { focal_length: 35 }, fields: {} }])
  const file = created[0]?.files?.image
  expect(file instanceof Blob ? await file.text() : file).toEqual(expected)
})

test.each([
  ['no JSON', '{', 400],
  ['a list', '[]', 400],
  ['an address in a file field', '{"image":"https://169.254.169.254/"}', 422],
  ['a number in a file field', '{"image":1}', 422],
  ['nothing in a file field', '{"image":""}', 422],
  ['more than it may', JSON.stringify({ image: 'A'.repeat(1_000) }), 413],
])('JSON with %s is refused', async (_, body, status) => {
  const { route, created } = setup({ maxBytes: 1_000 })
  expect((await route.POST(postJson(body))).status).toBe(status)
  expect(created).toEqual([])
})

test('the end of a failed prediction is told in its own sentence', async () => {
  const { route } = setup({ found: { ...begun, status: 'failed', error: 'The run stalled.' } })
  const response = await route.GET(new Request(`${address}?id=one`))
  expect(await response.json()).toMatchObject({ status: 'failed', error: 'The run stalled.', output: null })
})

test.each(['?id=two', '?id=', '', '?id=two&output', '?id=one&output'])('nothing there: 404 for "%s"', async query => {
  const { route } = setup({ found: begun })
  const response = await route.GET(new Request(`${address}${query}`))
  expect([response.status, await response.json()]).toEqual([
    404,
    { error: expect.stringMatching(/^There is no (such prediction|output)\.$/), code: 'not_found' },
  ])
})

test("the caller's faults are told, with status and code", async () => {
  const { route } = setup({ fails: createFailure('input_invalid', 'image is not a picture.') })
  const response = await route.POST(post({ image: photo }))
  expect([response.status, await response.json()]).toEqual([
    422,
    { error: 'image is not a picture.', code: 'input_invalid' },
  ])
})

test('other faults are told by code only, and whole on the console', async () => {
  const logged = vi.spyOn(console, 'error').mockReturnValue()
  const { route } = setup({ fails: createFailure('storage_full', 'No space left in /srv/app/.surefoot.') })
  const response = await route.POST(post({ image: photo }))
  expect([response.status, await response.json()]).toEqual([
    507,
    { error: 'This cannot be done just now.', code: 'storage_full' },
  ])
  expect(logged.mock.calls.map(([, error]) => error.message)).toEqual(['No space left in /srv/app/.surefoot.'])
})

test('what is not ours, such as a redirect of the framework, passes through', async () => {
  const redirect = new Error('NEXT_REDIRECT')
  const { route } = setup({
    authorize() {
      throw redirect
    },
  })
  await expect(route.POST(post({ image: photo }))).rejects.toBe(redirect)
})

test('without authorize the route is closed, and the console says why', async () => {
  const logged = vi.spyOn(console, 'error').mockReturnValue()
  const { surefoot } = setup()
  const route = createProcessRoute(surefoot)
  const response = await route.POST(post({ image: photo }))
  expect([response.status, await response.json()]).toEqual([401, { error: 'Sign in first.', code: 'not_signed_in' }])
  expect((await route.GET(new Request(`${address}?id=one`))).status).toBe(401)
  expect(logged.mock.calls[0]?.[0]).toContain('has no authorize')
})

test('whoever authorize names is the owner, and its limits hold; null is nobody', async () => {
  const { route, visitors, created } = setup({
    authorize: ({ headers }) => {
      const user = headers.get('x-user')
      return user === null ? null : { user, limits: { concurrency: 1 } }
    },
  })
  expect((await route.POST(post({ image: photo }))).status).toBe(401)
  expect(created).toEqual([])
  expect((await route.POST(post({ image: photo }, { 'x-user': 'ada' }))).status).toBe(202)
  expect(visitors).toEqual([{ user: 'ada', limits: { concurrency: 1 } }])
})

test('authorize comes first, for every request, and what it answers is the answer', async () => {
  const { route, created } = setup({
    found: succeeded,
    authorize: async ({ headers }) =>
      headers.get('cookie') === 'session=good' ? { user: 'ada' } : new Response('Sign in.', { status: 401 }),
  })
  const reads = ['?id=one', '?id=one&output'].map(query => new Request(`${address}${query}`))
  const refused = await Promise.all([route.POST(post({ image: photo })), ...reads.map(route.GET)])
  expect(refused.map(({ status }) => status)).toEqual([401, 401, 401])
  expect(created).toEqual([])
  expect((await route.POST(post({ image: photo }, { cookie: 'session=good' }))).status).toBe(202)
})

test.each<Record<string, string>>([
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { origin: 'https://elsewhere.example', host: 'app.example' },
  { origin: 'null', host: 'app.example' },
])("another origin's page starts nothing: %j", async headers => {
  const { route, created } = setup()
  const response = await route.POST(post({ image: photo }, headers))
  expect([response.status, await response.json()]).toEqual([
    403,
    { error: 'Pages of other sites may not use this.', code: 'origin_refused' },
  ])
  expect(created).toEqual([])
})

test.each<Record<string, string>>([
  { 'sec-fetch-site': 'same-origin', origin: 'https://app.example', host: 'inner:3000' },
  { origin: 'https://app.example', host: 'app.example' },
  { origin: 'https://app.example', host: 'inner:3000', 'x-forwarded-host': 'app.example' },
])("the app's own page and programs may: %j", async headers => {
  const { route } = setup()
  expect((await route.POST(post({ image: photo }, headers))).status).toBe(202)
})

const begun: PredictionJson = {
  id: 'one',
  model: 'surefoot/relief',
  version: '0'.repeat(64),
  input: {},
  output: null,
  status: 'starting',
  error: null,
  logs: '',
  metrics: {},
  created_at: '2030-01-01T00:00:00.000Z',
  started_at: null,
  completed_at: null,
  data_removed: false,
  source: 'api',
  urls: { get: '', cancel: '' },
  surefoot: {
    progress: null,
    failure: null,
    cost: null,
    deployment: null,
    notice: 'A preview.',
    output: null,
    settled: false,
  },
}

const file = { name: 'scene.ply', media_type: 'application/octet-stream', bytes: 3, sha256: '', facts: {} }
const succeeded: PredictionJson = { ...begun, status: 'succeeded', surefoot: { ...begun.surefoot, output: file } }

interface Setup extends ProcessRouteOptions {
  /** The one prediction there is. */
  readonly found?: PredictionJson
  /** What `create` throws. */
  readonly fails?: SurefootError['failure']
  /** Where its output is, when files are in a bucket. */
  readonly bucketUrl?: string
}

/** A route on a Surefoot that keeps what it was asked to create and knows one prediction. */
function setup({ found, fails, bucketUrl, ...options }: Setup = {}) {
  const created: CreateOptions[] = []
  const visitors: Visitor[] = []
  const predictions: Pick<Predictions, 'create' | 'get' | 'openOutput' | 'outputUrl'> = {
    async create(request) {
      if (fails !== undefined) throw new SurefootError(fails)
      created.push(request)
      return begun
    },
    async get(id) {
      return found?.id === id ? found : null
    },
    async openOutput(id) {
      if (found?.id !== id || found.surefoot.output === null) return null
      const { name, media_type: mediaType, bytes } = found.surefoot.output
      return { name, mediaType, bytes, total: bytes, body: new Blob(['ply']).stream() }
    },
    outputUrl: async () => bucketUrl ?? null,
  }
  const surefoot = {
    as(visitor: Visitor): Predictions {
      visitors.push(visitor)
      return predictions as Predictions
    },
  }
  return {
    route: createProcessRoute(surefoot, { authorize: () => ({ user: 'ada' }), ...options }),
    surefoot,
    created,
    visitors,
  }
}

async function statusFrom(response: Response): Promise<ProcessStatus> {
  return (await response.json()) as ProcessStatus
}

function postJson(body: object | string): Request {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return new Request(address, { method: 'POST', body: text, headers: { 'content-type': 'application/json' } })
}

function post(fields: { readonly [name: string]: string | File }, headers: Record<string, string> = {}): Request {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.set(name, value)
  return new Request(address, { method: 'POST', body, headers })
}
