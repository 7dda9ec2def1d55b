import { expect, test } from 'vitest'
import { mostStreams } from './events.ts'
import { setup, type TestFront } from './test-support.ts'
import { addToken } from './test-tokens.ts'

/** Reads an event stream piece by piece: what was written between two calls. */
async function follow(front: TestFront, id: string, headers: Record<string, string> = {}) {
  const response = await front.send(`/v1/predictions/${id}/events`, { headers })
  const reader = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader()
  const seen = { text: '', ended: false }
  const reading = (async () => {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      seen.text += value
    }
    seen.ended = true
  })()
  return {
    response,
    reader,
    reading,
    /** Lets everything arrive that was written by now. */
    async events() {
      await front.clock.advance(0)
      await front.clock.advance(0)
      const lines = seen.text.split('\n\n').filter(block => block !== '')
      seen.text = ''
      return lines.map(block =>
        block.replace(/data: (\{.+\})/, (_, data) => `data: ${JSON.parse(data).status ?? '{}'}`),
      )
    },
    ended: () => seen.ended,
  }
}

test('shows the prediction now, after each change, and done after the end', async () => {
  const front = await setup()
  await front.add({ id: 'p1' })
  const stream = await follow(front, 'p1')
  expect(stream.response.headers.get('content-type')).toBe('text/event-stream')
  expect(await stream.events()).toEqual(['event: prediction\nid: 1\ndata: starting'])
  await front.change('p1', { status: 'processing' })
  expect(await stream.events()).toEqual(['event: prediction\nid: 2\ndata: processing'])
  await front.change('p1', { status: 'succeeded', completedAt: front.clock.now() })
  expect(await stream.events()).toEqual(['event: prediction\nid: 3\ndata: succeeded', 'event: done\ndata: {}'])
  await stream.reading
  expect(front.clock.waiting).toBe(0)
})

test('HEAD answers as GET does and follows nothing', async () => {
  const front = await setup()
  await front.add({ id: 'p1' })
  const response = await front.send('/v1/predictions/p1/events', { method: 'HEAD' })
  expect([response.status, response.headers.get('content-type'), response.body]).toEqual([
    200,
    'text/event-stream',
    null,
  ])
  expect(front.clock.waiting).toBe(0)
  expect((await front.send('/v1/predictions/p2/events', { method: 'HEAD' })).status).toBe(404)
})

test('writes a comment after each 15 s of silence, counted from the last event', async () => {
  const front = await setup()
  await front.add({ id: 'p1' })
  const stream = await follow(front, 'p1')
  await stream.events()
  await front.clock.advance(14_999)
  expect(await stream.events()).toEqual([])
  await front.change('p1', { status: 'processing' })
  expect(await stream.events()).toHaveLength(1)
  await front.clock.advance(14_999)
  expect(await stream.events()).toEqual([])
  await front.clock.advance(1)
  expect(await stream.events()).toEqual([': keep-alive'])
  await front.clock.advance(15_000)
  expect(await stream.events()).toEqual([': keep-alive'])
  await stream.reader.cancel()
  await front.clock.advance(0)
  expect(front.clock.waiting).toBe(0)
})

test('resumes after Last-Event-ID: nothing that old is sent again', async () => {
  const front = await setup()
  await front.add({ id: 'p1' })
  await front.change('p1', { status: 'processing' })
  const stream = await follow(front, 'p1', { 'last-event-id': '2' })
  expect(await stream.events()).toEqual([])
  await front.change('p1', { status: 'failed', completedAt: 1 })
  expect(await stream.events()).toEqual(['event: prediction\nid: 3\ndata: failed', 'event: done\ndata: {}'])
})

test('resumes behind, at and beyond the end of a finished prediction', async () => {
  const front = await setup()
  await front.add({ id: 'p1' })
  await front.change('p1', { status: 'canceled', completedAt: 1 })
  const done = 'event: done\ndata: {}'
  const last = 'event: prediction\nid: 2\ndata: canceled'
  expect(await (await follow(front, 'p1', { 'last-event-id': '1' })).events()).toEqual([last, done])
  expect(await (await follow(front, 'p1', { 'last-event-id': '2' })).events()).toEqual([done])
  expect(await (await follow(front, 'p1', { 'last-event-id': 'EVENT_1' })).events()).toEqual([last, done])
})

test('ends without done when the server closes, so that readers come back', async () => {
  const closing = new AbortController()
  const front = await setup({ closing: closing.signal })
  await front.add({ id: 'p1' })
  const stream = await follow(front, 'p1')
  await stream.events()
  closing.abort()
  expect(await stream.events()).toEqual([])
  await stream.reading
  expect(stream.ended()).toBe(true)
  expect(front.clock.waiting).toBe(0)
})

test('a reader that pauses gets one comment for all the silence, and leaves no timer behind', async () => {
  const front = await setup()
  await front.add({ id: 'p1' })
  const response = await front.send('/v1/predictions/p1/events')
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader()
  const decoder = new TextDecoder()
  await reader.read()
  await front.clock.advance(60_000)
  await front.change('p1', { status: 'succeeded', completedAt: 1 })
  await front.clock.advance(0)
  let text = ''
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += decoder.decode(part.value)
  expect(text.match(/^(event|:).*$/gm)).toEqual([': keep-alive', 'event: prediction', 'event: done'])
  expect(front.clock.waiting).toBe(0)
})

test('a reader that does not read is not written to', async () => {
  const front = await setup()
  await front.add({ id: 'p1' })
  const response = await front.send('/v1/predictions/p1/events')
  for (let count = 0; count < 50; count++) await front.change('p1', { progress: { stage: null, fraction: count / 50 } })
  await front.clock.advance(0)
  const reader = (response.body ?? new ReadableStream()).getReader()
  await reader.read()
  const second = new TextDecoder().decode((await reader.read()).value)
  expect(second).toContain('id: 51\n')
  await reader.cancel()
  await front.clock.advance(0)
  expect(front.clock.waiting).toBe(0)
})

test('a caller may have 1,000 streams open; one more is 429 until one ends, and others have their own', async () => {
  const front = await setup()
  const [ann, bob] = [await addToken(front), await addToken(front)]
  for (const { id } of [ann, bob]) await front.add({ id: `of-${id}`, owner: id })
  const ask = (who: typeof ann) => front.send(`/v1/predictions/of-${who.id}/events`, { headers: who.headers })
  const open = await Promise.all(Array.from({ length: mostStreams }, () => ask(ann)))
  expect(new Set(open.map(({ status }) => status))).toEqual(new Set([200]))
  expect(await (await ask(ann)).json()).toMatchObject({ status: 429, code: 'too_many_requests' })
  const others = await ask(bob)
  expect(others.status).toBe(200)
  await open[0]?.body?.cancel()
  await front.clock.advance(0)
  const again = await ask(ann)
  expect([again.status, (await ask(ann)).status]).toEqual([200, 429])
  await front.change(`of-${ann.id}`, { status: 'canceled', completedAt: 1 })
  await Promise.all([...open.slice(1), again].map(response => response.text()))
  expect((await ask(ann)).status).toBe(200)
  await others.body?.cancel()
  await front.clock.advance(0)
  expect(front.clock.waiting).toBe(0)
})
