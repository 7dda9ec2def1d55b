import { expect, test } from 'vitest'
import { longestRetryAfterMs, retryAfterMs } from './retry-after.ts'

const date = 'Thu, 01 Jan 2026 00:00:00 GMT'
const cases: [string, Record<string, string>, string, number | undefined][] = [
  ['whole seconds', { 'retry-after': '2' }, '', 2000],
  ['a fraction of a second', { 'retry-after': '1.5' }, '', 1500],
  ['an HTTP date, against the Date header', { 'retry-after': 'Thu, 01 Jan 2026 00:00:07 GMT', date }, '', 7000],
  ['a date in the past is now', { 'retry-after': 'Wed, 31 Dec 2025 23:00:00 GMT', date }, '', 0],
  ['a date without a Date header says nothing', { 'retry-after': date }, '', undefined],
  ['a header beats the body', { 'retry-after': '2' }, '{"retry_after":9}', 2000],
  ['retry_after in the body', {}, '{"detail":"Request was throttled.","retry_after":5}', 5000],
  ['"resets in ~30s" in the body', {}, '{"detail":"Your rate limit resets in ~30s."}', 30_000],
  ['minutes in the body', {}, 'Please try again in 2 minutes', 120_000],
  ['milliseconds in the body', {}, 'please retry in 250ms', 250],
  ['an unreadable header leaves it to the body', { 'retry-after': 'soon' }, '{"retry_after":5}', 5000],
  ['nothing at all', {}, '{"detail":"Request was throttled."}', undefined],
  ['a nonsensical wait is capped', { 'retry-after': '99999999999' }, '', longestRetryAfterMs],
]

test.each(cases)('reads %s', (_, headers, body, expected) => {
  expect(retryAfterMs(new Headers(headers), body)).toBe(expected)
})

test('a body that is made to be searched for ever is not', () => {
  // Seen to take a second for 40 kB, growing with the square: of the 32 MB that are read of an answer it took the gateway.
  expect(retryAfterMs(new Headers(), `retry in${' '.repeat(5_000_000)}x`)).toBeUndefined()
})
