import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClientError } from './request.ts'
import { type Fault, setupPage, type TestPage, watch, withoutStreams } from './test-page.ts'

const events = '/v1/predictions/p1/events'
const polled = 'GET /v1/predictions/p1'

async function setup() {
  const page = await setupPage()
  await page.front.add({ id: 'p1' })
  return page
}

function progress(page: TestPage, fraction: number) {
  return page.front.change('p1', { status: 'processing', progress: { stage: 'draw', fraction } })
}

function succeed(page: TestPage) {
  return page.front.change('p1', { status: 'succeeded', progress: null, completedAt: page.front.clock.now() })
}

/** Milliseconds from one look to the next, over so long a time. */
async function gapsBetweenLooks(page: TestPage, ms: number): Promise<number[]> {
  const looks: number[] = []
  for (let at = 0; at < ms; at += 250) {
    const before = page.requests.filter(each => each === polled).length
    await page.pass(250)
    if (page.requests.filter(each => each === polled).length > before) looks.push(at)
  }
  return looks.slice(1).map((at, index) => at - (looks[index] ?? 0))
}

test('shows the prediction now and after each change by one stream, and ends with it', async () => {
  const page = await setup()
  const watching = watch(page, 'p1')
  await page.pass()
  expect(watching.shown).toEqual(['starting'])
  await progress(page, 0.5)
  await page.pass()
  expect(watching.shown).toEqual(['starting', 'processing 0.5'])
  await succeed(page)
  await page.pass()
  expect(watching).toMatchObject({ shown: ['starting', 'processing 0.5', 'succeeded'], ended: 'done' })
  expect(page.requests).toEqual([`GET ${events}`])
  expect(page.waiting()).toBe(0)
})

test('one that has ended is shown once', async () => {
  const page = await setup()
  await succeed(page)
  const watching = watch(page, 'p1')
  await page.pass()
  expect(watching).toMatchObject({ shown: ['succeeded'], ended: 'done' })
})

test('a cut stream is resumed where it was; nothing is missed, nothing shown twice', async () => {
  const page = await setup()
  const watching = watch(page, 'p1')
  await page.pass()
  page.cut()
  await progress(page, 0.25)
  await page.pass(999)
  expect(page.requests).toEqual([`GET ${events}`])
  await page.pass(1)
  expect(page.requests).toEqual([`GET ${events}`, polled, `GET ${events} after 1`])
  expect(watching.shown).toEqual(['starting', 'processing 0.25'])
  page.cut()
  await page.pass(1_000)
  await succeed(page)
  await page.pass()
  expect(watching).toMatchObject({ shown: ['starting', 'processing 0.25', 'succeeded'], ended: 'done' })
  expect(page.requests.slice(3)).toEqual([polled, `GET ${events} after 2`])
})

test('a stream in which nothing changed before it was cut is still a stream', async () => {
  const page = await setup()
  watch(page, 'p1')
  await page.pass()
  page.cut()
  await page.pass(1_000)
  for (let time = 0; time < 3; time++) {
    page.requests.length = 0
    await page.pass(10_000)
    page.cut()
    await page.pass(4_000)
    expect(page.requests).toEqual([polled, `GET ${events} after 1`])
  }
})

test('without streams it looks ever more seldom while nothing changes, and tries streams again', async () => {
  const page = await setup()
  page.fault = withoutStreams
  const watching = watch(page, 'p1')
  await page.pass()
  expect(watching.shown).toEqual(['starting'])
  const gaps = await gapsBetweenLooks(page, 120_000)
  expect(gaps.slice(0, 6)).toEqual([...gaps.slice(0, 6)].sort((a, b) => a - b))
  expect(gaps[0]).toBeLessThanOrEqual(2_500)
  expect(gaps.at(-1)).toBe(15_000)
  const tries = page.requests.filter(each => each === `GET ${events}`).length
  expect(tries).toBeGreaterThan(2)
  expect(tries).toBeLessThan(6)
  await progress(page, 0.5)
  await page.pass(15_000)
  expect(watching.shown).toEqual(['starting', 'processing 0.5'])
  page.fault = () => null
  await page.pass(120_000)
  expect(page.requests.at(-1)).toBe(`GET ${events}`)
  await succeed(page)
  await page.pass()
  expect(watching.ended).toBe('done')
})

test.each([
  [
    'a page of a proxy in place of events',
    () => new Response('<h1>Hello</h1>', { headers: { 'content-type': 'text/html' } }),
  ],
  ['404 for events alone', () => new Response('', { status: 404 })],
  ['429 for events alone', () => new Response('', { status: 429, headers: { 'retry-after': '600' } })],
  ['an empty stream', () => new Response('', { headers: { 'content-type': 'text/event-stream' } })],
  [
    'an event that is none',
    () => new Response('event: prediction\ndata: {"id"\n\n', { headers: { 'content-type': 'text/event-stream' } }),
  ],
])('gets to the end with %s', async (_, answer) => {
  const page = await setup()
  page.fault = request => (request.url.endsWith('/events') ? answer() : null)
  const watching = watch(page, 'p1')
  await page.pass(1_000)
  expect(watching.shown).toEqual(['starting'])
  await succeed(page)
  await page.pass(2_500)
  expect(watching).toMatchObject({ shown: ['starting', 'succeeded'], ended: 'done' })
  expect(page.requests.filter(each => each.includes('events'))).toHaveLength(1)
})

test('a proxy that holds the stream back is given up after 8 seconds', async () => {
  const page = await setup()
  page.fault = request =>
    request.url.endsWith('/events')
      ? new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } })
      : null
  const watching = watch(page, 'p1')
  await page.pass(7_999)
  expect(watching.shown).toEqual([])
  await page.pass(1)
  expect(watching.shown).toEqual(['starting'])
})

test('a stream that is silent for 40 seconds is dead; one with comments is not', async () => {
  const page = await setup()
  watch(page, 'p1')
  await page.pass(300_000)
  expect(page.requests).toEqual([`GET ${events}`])
  page.cut()
  page.fault = request =>
    request.url.endsWith('/events')
      ? new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } })
      : null
  await page.pass(1_000)
  page.requests.length = 0
  await page.pass(39_999)
  expect(page.requests).toEqual([])
  await page.pass(1_501)
  expect(page.requests).toEqual([polled])
})

test('after a sleep a stream that must have fallen silent is not waited for', async () => {
  const page = await setup()
  const now = await (await page.front.send('/v1/predictions/p1')).text()
  const said = new TextEncoder().encode(`event: prediction\nid: 1\ndata: ${now}\n\n`)
  page.fault = () =>
    new Response(new ReadableStream({ start: stream => stream.enqueue(said) }), {
      headers: { 'content-type': 'text/event-stream' },
    })
  const watching = watch(page, 'p1')
  await page.pass()
  page.fault = () => null
  await succeed(page)
  page.sleep(39_999)
  page.wake()
  await page.pass(1_000)
  expect(watching.shown).toEqual(['starting'])
  page.sleep(1)
  page.wake()
  await page.pass(1_000)
  expect(watching).toMatchObject({ shown: ['starting', 'succeeded'], ended: 'done' })
})

test('without a network it goes on for hours, and looks at once when the network is back', async () => {
  const page = await setup()
  const watching = watch(page, 'p1')
  await page.pass()
  page.fault = () => Promise.reject(new TypeError('Failed to fetch'))
  page.cut()
  await page.pass(3 * 3_600_000)
  expect(watching.ended).toBeUndefined()
  await succeed(page)
  page.fault = () => null
  page.wake()
  await page.pass()
  expect(watching).toMatchObject({ shown: ['starting', 'succeeded'], ended: 'done' })
})

test('a gateway that starts again, behind a proxy that says so, is followed on', async () => {
  const page = await setup()
  const watching = watch(page, 'p1')
  await page.pass()
  page.fault = () => new Response('<h1>Bad gateway</h1>', { status: 502 })
  page.cut()
  await page.pass(60_000)
  page.fault = () => null
  await progress(page, 0.75)
  await page.pass(20_000)
  expect(watching.shown).toEqual(['starting', 'processing 0.75'])
  expect(page.requests.at(-1)).toBe(`GET ${events} after 1`)
})

test('waits as long as it is told to', async () => {
  const page = await setup()
  page.fault = () => Response.json({ code: 'too_many_requests' }, { status: 429, headers: { 'retry-after': '90' } })
  watch(page, 'p1')
  await page.pass()
  expect(page.requests).toEqual([`GET ${events}`, polled])
  await page.pass(90_999)
  expect(page.requests.filter(each => each === polled)).toHaveLength(1)
})

test('a page that nobody sees looks four times as seldom, and at once when it is seen', async () => {
  const page = await setup()
  page.fault = withoutStreams
  page.isHidden = true
  watch(page, 'p1')
  await page.pass(300_000)
  const gaps = await gapsBetweenLooks(page, 300_000)
  expect(new Set(gaps)).toEqual(new Set([60_000]))
  page.requests.length = 0
  page.isHidden = false
  page.wake()
  await page.pass()
  expect(page.requests).toContain(polled)
})

test.each([
  [401, 'token_missing'],
  [403, 'scope_missing'],
  [404, 'not_found'],
])('a refusal with %d ends it with what was said', async (status, code) => {
  const page = await setup()
  page.fault = () => Response.json({ detail: 'No.', status, code, request_id: 'r1' }, { status })
  const watching = watch(page, 'p1')
  await page.pass()
  expect(watching.ended).toBeInstanceOf(ClientError)
  expect(watching.ended).toMatchObject({ status, code, detail: 'No.', message: 'No.', requestId: 'r1' })
  expect(page.waiting()).toBe(0)
})

test('an address that never was the gateway is told; a foreign page in between is passed over', async () => {
  const page = await setup()
  const foreign = () => new Response('<h1>Sign in to the hotel</h1>')
  page.fault = foreign
  const lost = watch(page, 'p1')
  await page.pass(60_000)
  expect(lost.ended).toMatchObject({ code: 'answer_unreadable', status: 200 })
  page.fault = () => null
  const watching = watch(page, 'p1')
  await page.pass()
  page.cut()
  page.fault = foreign
  await page.pass(60_000)
  page.fault = () => null
  await succeed(page)
  await page.pass(15_000)
  expect(watching.ended).toBe('done')
})

test.each(['a stream', 'looks'])('its signal ends it at once and leaves nothing behind, with %s', async how => {
  const page = await setup()
  if (how === 'looks') page.fault = withoutStreams
  const abort = new AbortController()
  const watching = watch(page, 'p1', abort.signal)
  await page.pass(1_000)
  abort.abort(new Error('I left.'))
  await page.pass()
  expect(watching.ended).toEqual(new Error('I left.'))
  expect(page.waiting()).toBe(0)
  const late = watch(page, 'p1', abort.signal)
  await page.pass()
  expect(late).toMatchObject({ shown: [], ended: new Error('I left.') })
})

test('whoever stops reading leaves nothing behind', async () => {
  const page = await setup()
  const read = (async () => {
    for await (const { status } of page.client.watch('p1')) return status
  })()
  await page.pass()
  expect(await read).toBe('starting')
  await page.pass()
  expect(page.waiting()).toBe(0)
})

test('whatever happens on the way, it shows no change twice, none out of order, and the end within a minute of calm', async () => {
  const step = fc.oneof(
    fc.constantFrom('change', 'cut', 'wake', 'hide', 'show', 'calm'),
    fc.constantFrom('offline', '502', 'held back', 'no streams', 'foreign', '429'),
    fc.integer({ min: 1, max: 60_000 }),
    fc.integer({ min: 1, max: 600_000 }).map(ms => `sleep ${ms}`),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async steps => {
      const page = await setup()
      const watching = watch(page, 'p1')
      await page.pass()
      let changes = 0
      for (const each of steps) {
        if (typeof each === 'number') await page.pass(each)
        else if (each.startsWith('sleep')) page.sleep(Number(each.slice(6)))
        else if (each === 'change') await progress(page, ++changes / 100)
        else if (each === 'cut') page.cut()
        else if (each === 'wake') page.wake()
        else if (each === 'hide' || each === 'show') page.isHidden = each === 'hide'
        else page.fault = faults[each] ?? (() => null)
        await page.pass()
      }
      expect(watching.ended).toBeUndefined()
      page.fault = () => null
      await succeed(page)
      page.isHidden = false
      await page.pass(60_000)
      expect(watching.ended).toBe('done')
      const fractions = watching.shown.slice(1, -1).map(each => Number(each.split(' ')[1]))
      expect(watching.shown[0]).toBe('starting')
      expect(watching.shown.at(-1)).toBe('succeeded')
      expect(fractions).toEqual([...new Set(fractions)].sort((a, b) => a - b))
      expect(page.waiting()).toBe(0)
    }),
    { numRuns: 40 },
  )
})

const faults: { readonly [name: string]: Fault } = {
  offline: () => Promise.reject(new TypeError('Failed to fetch')),
  502: () => new Response('', { status: 502 }),
  'held back': request =>
    request.url.endsWith('/events')
      ? new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } })
      : null,
  'no streams': withoutStreams,
  foreign: () => new Response('<h1>Sign in</h1>'),
  429: () => new Response('', { status: 429, headers: { 'retry-after': '7' } }),
}
