import { expect, test } from 'vitest'
import { readEvents, type StreamEvent } from './event-stream.ts'

async function eventsOf(...chunks: readonly string[]) {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(Buffer.from(chunk, 'latin1'))
      controller.close()
    },
  })
  const events: StreamEvent[] = []
  for await (const event of readEvents(body)) events.push(event)
  return events
}

test('events come whole however the stream is cut, also within a character', async () => {
  const text = Buffer.from('event: prediction\nid: 3\ndata: {"a":"Zürich: 1"}\n\nevent: done\ndata: {}\n\n').toString(
    'latin1',
  )
  const expected = [
    { event: 'prediction', data: '{"a":"Zürich: 1"}' },
    { event: 'done', data: '{}' },
  ]
  expect(await eventsOf(text)).toEqual(expected)
  expect(await eventsOf(...text)).toEqual(expected)
})

test('comments and an event that was cut are passed over', async () => {
  expect(await eventsOf(': keep-alive\n\n', 'data: 1\n\n', 'event: prediction\ndata: {"half')).toEqual([
    { event: 'message', data: '1' },
  ])
})
