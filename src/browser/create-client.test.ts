import { expect, test } from 'vitest'
import { setupGateway } from '../http/test-gateway.ts'
import { png } from '../http/test-support.ts'
import { createSimulatedClock } from '../testing/clock.ts'
import { createClientIn } from './create-client.ts'
import { ClientError } from './request.ts'
import { browser, type Surroundings } from './surroundings.ts'
import { setupPage, type TestPage } from './test-page.ts'

const photo = new File([png], 'photo.png', { type: 'image/png' })
const model = 'acme/sketch'

/** A gateway that gives places in a bucket, and a bucket that answers as it is told, one answer after the other. */
async function setupBucket(answers: (() => Response | Promise<Response>)[] = []) {
  const page = await setupPage()
  const puts: { readonly headers: Record<string, string>; readonly bytes: number }[] = []
  const asked: unknown[] = []
  page.fault = async request => {
    const { pathname } = new URL(request.url)
    if (pathname === '/v1/files/uploads') {
      asked.push(await request.json())
      const upload = { method: 'PUT', url: 'http://bucket.test/pending/u1', headers: { 'content-type': 'image/png' } }
      return Response.json({ id: 'u1', upload }, { status: 201 })
    }
    if (pathname !== '/pending/u1') return new Response(null, { status: 599 })
    puts.push({ headers: Object.fromEntries(request.headers), bytes: (await request.arrayBuffer()).byteLength })
    return (await answers.shift()?.()) ?? new Response(null, { status: 200 })
  }
  return { page, puts, asked }
}

/** What became of a call, while time passes. */
async function settle<T>(page: TestPage, call: Promise<T>, ms = 0): Promise<T | ClientError | 'waits'> {
  let end: T | ClientError | 'waits' = 'waits'
  call.then(
    value => {
      end = value
    },
    error => {
      end = error
    },
  )
  await page.pass(ms)
  return end
}

test('a file goes where the gateway says, with the headers that it says and none of the page', async () => {
  const { page, puts, asked } = await setupBucket()
  const shares: number[] = []
  const file = new File([png], 'photo.png', { type: 'image/png;charset=x' })
  const uploaded = await settle(page, page.client.upload(file, { onProgress: share => shares.push(share) }))
  expect(uploaded).toEqual({ id: 'u1' })
  expect(asked).toEqual([{ filename: 'photo.png', type: 'image/png', bytes: png.length }])
  expect(puts).toEqual([{ headers: { 'content-type': 'image/png' }, bytes: png.length }])
  expect(shares).toEqual([1])
})

test('what fails for a moment is sent again; a 409 after a lost answer means that it is there', async () => {
  const lost = () => Promise.reject(new TypeError('Failed to fetch'))
  const { page, puts } = await setupBucket([
    () => new Response(null, { status: 503 }),
    lost,
    () => new Response(null, { status: 409 }),
  ])
  const call = page.client.upload(photo)
  expect(await settle(page, call, 499)).toBe('waits')
  expect(puts).toHaveLength(1)
  expect(await settle(page, call, 1)).toBe('waits')
  expect(puts).toHaveLength(2)
  expect(await settle(page, call, 1_000)).toEqual({ id: 'u1' })
  expect(page.waiting()).toBe(0)
})

test('a bucket that goes on failing is given up after five tries', async () => {
  const { page, puts } = await setupBucket(Array.from({ length: 9 }, () => () => new Response(null, { status: 500 })))
  expect(await settle(page, page.client.upload(photo), 60_000)).toMatchObject({ code: 'refused', status: 500 })
  expect(puts).toHaveLength(5)
})

test.each([
  [403, '<Error><Code>AccessDenied</Code></Error>', 'refused'],
  [409, JSON.stringify({ code: 'already_uploaded', detail: 'It is there.' }), 'already_uploaded'],
])('a bucket that refuses with %d is asked once', async (status, body, code) => {
  const { page, puts } = await setupBucket([() => new Response(body, { status })])
  expect(await settle(page, page.client.upload(photo))).toMatchObject({ name: 'ClientError', status, code })
  expect(puts).toHaveLength(1)
})

test('an upload ends with its signal, also between two tries', async () => {
  const { page } = await setupBucket([() => new Response(null, { status: 500 })])
  const abort = new AbortController()
  const call = page.client.upload(photo, { signal: abort.signal })
  expect(await settle(page, call)).toBe('waits')
  abort.abort(new Error('I left.'))
  expect(await settle(page, call)).toEqual(new Error('I left.'))
  expect(page.waiting()).toBe(0)
})

/** A gateway that answers a create when the test says so, and notes what is cancelled. */
async function setupCreate(idempotencyKey?: string) {
  const page = await setupPage()
  const canceled: string[] = []
  let answer = (_response: Response | Promise<never>) => {}
  page.fault = ({ url }) => {
    if (url.endsWith('/cancel')) canceled.push(new URL(url).pathname)
    if (url.endsWith('/cancel')) return Response.json({ id: 'p1' })
    return new Promise(resolve => {
      answer = resolve
    })
  }
  const abort = new AbortController()
  const request = { model, input: {}, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) }
  const call = page.client.create(request, { signal: abort.signal })
  expect(await settle(page, call)).toBe('waits')
  return { page, canceled, abort, call, answer: (response: Response | Promise<never>) => answer(response) }
}

const made = () => Response.json({ id: 'p1' }, { status: 201 })
const gone = new Error('I left.')

test('a create that is given up fails at once, and what it made is cancelled, also after a lost answer', async () => {
  const { page, canceled, abort, call, answer } = await setupCreate()
  abort.abort(gone)
  expect(await settle(page, call)).toBe(gone)
  answer(Promise.reject(new TypeError('Failed to fetch')))
  await page.pass(1_000)
  expect(canceled).toEqual([])
  answer(made())
  await page.pass()
  expect(canceled).toEqual(['/v1/predictions/p1/cancel'])
  expect(page.waiting()).toBe(0)
})

test('one that was refused made nothing; one that was answered, or has a key of its own, is left', async () => {
  const refused = await setupCreate()
  refused.abort.abort(gone)
  refused.answer(Response.json({ code: 'input_invalid', detail: 'No.' }, { status: 422 }))
  const answered = await setupCreate()
  answered.answer(made())
  expect(await settle(answered.page, answered.call)).toEqual({ id: 'p1' })
  answered.abort.abort(gone)
  const keyed = await setupCreate('order 7')
  keyed.abort.abort(gone)
  expect(await settle(keyed.page, keyed.call)).toBe(gone)
  keyed.answer(made())
  for (const { page, canceled } of [refused, answered, keyed]) {
    await page.pass(10_000)
    expect(canceled).toEqual([])
  }
})

test('one that is given up before it is sent is not sent', async () => {
  const page = await setupPage()
  const call = page.client.create({ model, input: {} }, { signal: AbortSignal.abort(gone) })
  expect(await settle(page, call)).toBe(gone)
  expect(page.requests).toEqual([])
})

test('files in the input become their ids, under one progress; the rest goes as it is', async () => {
  const { page } = await setupBucket()
  const bucket = page.fault
  const bodies: unknown[] = []
  page.fault = async request => {
    if (!request.url.endsWith('/v1/predictions')) return await bucket(request)
    bodies.push(await request.json())
    return Response.json({ id: 'p1' }, { status: 201 })
  }
  const shares: number[] = []
  const input = { image: photo, mask: new Blob([png, png]), steps: 3 }
  const call = page.client.create({ model, input }, { onProgress: share => shares.push(Math.round(share * 3)) })
  expect(await settle(page, call)).toEqual({ id: 'p1' })
  expect(bodies).toEqual([{ model, input: { image: 'u1', mask: 'u1', steps: 3 } }])
  expect(shares).toEqual([1, 3])
})

test('a create whose answer is lost is asked for again under the same key, and no other create has it', async () => {
  const page = await setupPage()
  const keys: (string | null)[] = []
  let lost = 2
  page.fault = async request => {
    keys.push(request.headers.get('idempotency-key'))
    if (lost-- > 0) throw new TypeError('Failed to fetch')
    return Response.json({ id: 'p1' }, { status: 201 })
  }
  const input = { image: 'file1' }
  expect(await settle(page, page.client.create({ model, input }), 1_500)).toEqual({ id: 'p1' })
  expect(keys).toHaveLength(3)
  expect(new Set(keys).size).toBe(1)
  expect(keys[0]).toMatch(/^\d+(-\d+){3}$/)
  await settle(page, page.client.create({ model, input }))
  expect(keys[3]).not.toBe(keys[0])
  await settle(page, page.client.create({ model, input, idempotencyKey: 'order 7' }))
  expect(keys[4]).toBe('order 7')
})

test('an answer that never comes is given up after 30 seconds', async () => {
  const page = await setupPage()
  page.fault = () => new Promise(() => {})
  const call = page.client.get('p1')
  expect(await settle(page, call, 29_999)).toBe('waits')
  expect(await settle(page, call, 1)).toMatchObject({ code: 'unreachable', status: 0 })
  expect(page.waiting()).toBe(0)
})

test.each([
  [429, { 'retry-after': '20' }, 2],
  [429, { 'retry-after': '3600' }, 1],
  [402, {}, 1],
  [422, {}, 1],
  [507, {}, 1],
  [500, {}, 5],
])('a create that is refused with %d and %j is tried %d times within half a minute', async (status, headers, times) => {
  const page = await setupPage()
  page.fault = () => Response.json({ code: 'some_code', detail: 'No.' }, { status, headers })
  const end = await settle(page, page.client.create({ model, input: {} }), 30_000)
  if (times !== 2) expect(end).toMatchObject({ code: 'some_code', status, detail: 'No.' })
  expect(page.requests).toHaveLength(times)
})

test("get, cancel and refusals are the gateway's own", async () => {
  const page = await setupPage()
  await page.front.add({ id: 'p1' })
  expect(await settle(page, page.client.get('p1'))).toMatchObject({ id: 'p1', status: 'starting' })
  expect(await settle(page, page.client.cancel('p1'))).toMatchObject({ id: 'p1', status: 'canceled' })
  const missing = await settle(page, page.client.get('../p2'))
  expect(missing).toBeInstanceOf(ClientError)
  expect(missing).toMatchObject({ code: 'not_found', status: 404, requestId: expect.stringMatching(/./) })
  const refused = await settle(page, page.client.create({ model: 'acme/other', input: {} }))
  expect(refused).toMatchObject({ code: 'input_invalid', status: 422, detail: expect.stringContaining('acme/sketch') })
})

test('its headers go with each request to the gateway, asked for anew', async () => {
  let asked = 0
  const page = await setupPage({ headers: async () => ({ authorization: `Bearer ${++asked}` }) })
  const seen: (string | null)[] = []
  page.fault = request => {
    seen.push(request.headers.get('authorization'))
    return null
  }
  await page.front.add({ id: 'p1' })
  await settle(page, page.client.get('p1'))
  await settle(page, page.client.cancel('p1'))
  expect(seen).toEqual(['Bearer 1', 'Bearer 2'])
})

test('a real gateway whose every first answer is lost gets one photo and runs one prediction, which is followed to its output', async () => {
  const gateway = await setupGateway()
  const clock = createSimulatedClock()
  const lost: string[] = []
  let loss = Promise.withResolvers<void>()
  const around: Surroundings = {
    ...browser,
    ...clock,
    async fetch(input, init) {
      const response = await fetch(input, init)
      const request = `${init?.method} ${String(input)}`
      if (init?.method === 'GET' || lost.includes(request)) return response
      lost.push(request)
      await response.arrayBuffer()
      loss.resolve()
      throw new TypeError('Failed to fetch')
    },
  }
  const client = createClientIn(around, { url: gateway.url })
  const call = client.create({ model, input: { image: photo } })
  for (let answer = 0; answer < 3; answer++) {
    await loss.promise
    loss = Promise.withResolvers<void>()
    await clock.advance(1_000)
  }
  const { id } = await call
  expect(lost.map(each => each.replace(/ .*\/(\w+).*/, ' $1'))).toEqual([
    'POST uploads',
    'PUT content',
    'POST predictions',
  ])
  expect((await gateway.replicate.predictions.list()).results).toHaveLength(1)
  gateway.succeed()
  const statuses: string[] = []
  for await (const { status } of client.watch(id)) statuses.push(status)
  expect(statuses.at(-1)).toBe('succeeded')
})
