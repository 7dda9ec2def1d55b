import { expect, test } from 'vitest'
import { isOpen } from '../core/schedule.ts'
import { localTimeOf } from './local-time.ts'

test.each([
  ['2026-11-24T12:00:00Z', 'UTC', 'tue', '12:00'],
  ['2026-11-24T23:59:59Z', 'UTC', 'tue', '23:59'],
  ['2026-11-24T00:00:00Z', 'UTC', 'tue', '00:00'],
  ['2026-11-24T23:30:00Z', 'Europe/Berlin', 'wed', '00:30'],
  ['2026-07-24T23:30:00Z', 'Europe/Berlin', 'sat', '01:30'],
  ['2026-11-24T03:00:00Z', 'America/New_York', 'mon', '22:00'],
  ['2026-11-24T12:00:00Z', 'Asia/Kathmandu', 'tue', '17:45'],
  // Minutes before and after the clocks are put forward, and back.
  ['2026-03-29T00:59:00Z', 'Europe/Berlin', 'sun', '01:59'],
  ['2026-03-29T01:00:00Z', 'Europe/Berlin', 'sun', '03:00'],
  ['2026-10-25T00:59:00Z', 'Europe/Berlin', 'sun', '02:59'],
  ['2026-10-25T01:00:00Z', 'Europe/Berlin', 'sun', '02:00'],
])('at %s clocks in %s show %s %s', (at, zone, weekday, time) => {
  const [hours = 0, minutes = 0] = time.split(':').map(Number)
  expect(localTimeOf(Date.parse(at), zone)).toEqual({ weekday, minute: hours * 60 + minutes })
})

test('a zone that nobody knows is refused', () => {
  expect(() => localTimeOf(0, 'Europe/Atlantis')).toThrow(RangeError)
})

/** How many minutes a window is open on one day of the calendar in Berlin. */
function openMinutes(day: string, fromMinute: number, toMinute: number): number {
  const noon = Date.parse(`${day}T12:00:00Z`)
  const window = { fromMinute, toMinute, days: [localTimeOf(noon, 'Europe/Berlin').weekday] }
  const minutes = Array.from({ length: 72 * 60 }, (_, minute) => noon + (minute - 36 * 60) * 60_000)
  return minutes.filter(at => isOpen(window, localTimeOf(at, 'Europe/Berlin'))).length
}

test.each([
  ['an ordinary day', '2026-03-28', 120],
  ['the day that skips an hour', '2026-03-29', 60],
  ['the day that has an hour twice', '2026-10-25', 180],
])('a window from 01:30 to 03:30 goes by the wall clock on %s', (_, day, minutes) => {
  expect(openMinutes(day, 90, 210)).toBe(minutes)
})

test.each(['2026-03-28', '2026-03-29', '2026-10-25'])('a window of daytime hours is as long as ever on %s', day => {
  expect(openMinutes(day, 8 * 60, 20 * 60)).toBe(12 * 60)
})
