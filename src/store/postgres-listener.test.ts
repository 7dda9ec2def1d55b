import { expect, it } from 'vitest'
import { toPayloads } from './postgres-listener.ts'

it('packs announcements into payloads that PostgreSQL takes, all of them, in order', () => {
  const announcements = Array.from({ length: 2_000 }, (_, index) => ({
    id: `ü${index}`.padEnd(26, 'x'),
    version: index,
    dueNow: index % 2 === 0,
  }))
  const payloads = toPayloads('me', announcements)
  expect(payloads.length).toBeGreaterThan(1)
  for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8_000)
  expect(payloads.map(payload => JSON.parse(payload).by)).toEqual(payloads.map(() => 'me'))
  expect(payloads.flatMap(payload => JSON.parse(payload).changes)).toEqual(
    announcements.map(({ id, version, dueNow }) => [id, version, dueNow]),
  )
})

it('makes none of nothing', () => {
  expect(toPayloads('me', [])).toEqual([])
})
