import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeWindow, isOpen, minutesPerDay, openMs, parseClockTime, type Weekday, weekdays } from './schedule.ts'

const office = { fromMinute: 8 * 60, toMinute: 20 * 60, days: ['mon', 'fri'] } as const
const night = { fromMinute: 22 * 60, toMinute: 6 * 60, days: ['fri'] } as const
const always = { fromMinute: 0, toMinute: minutesPerDay, days: weekdays }

describe('a window', () => {
  test.each<[string, typeof office | typeof night | typeof always, Weekday, string, boolean]>([
    ['opens on the minute', office, 'mon', '08:00', true],
    ['is shut the minute before', office, 'mon', '07:59', false],
    ['is open in its last minute', office, 'fri', '19:59', true],
    ['shuts on the minute', office, 'fri', '20:00', false],
    ['is shut on other days', office, 'tue', '12:00', false],
    ['past midnight opens in the evening', night, 'fri', '22:00', true],
    ['past midnight goes on in the next morning', night, 'sat', '05:59', true],
    ['past midnight shuts there', night, 'sat', '06:00', false],
    ['past midnight is shut in the morning of its own day', night, 'fri', '05:00', false],
    ['past midnight is shut on the next evening', night, 'sat', '22:00', false],
    ['of whole days is open at midnight', always, 'sun', '00:00', true],
    ['of whole days is open before midnight', always, 'sat', '23:59', true],
  ])('%s', (_, window, weekday, time, open) => {
    expect(isOpen(window, { weekday, minute: parseClockTime(time) ?? -1 })).toBe(open)
  })

  const windows = fc.record({
    fromMinute: fc.integer({ min: 0, max: minutesPerDay - 1 }),
    toMinute: fc.integer({ min: 1, max: minutesPerDay }),
    days: fc.subarray([...weekdays], { minLength: 1 }),
  })

  test('is open as long as it says, on each of its days, whatever it is', () => {
    fc.assert(
      fc.property(windows, window => {
        let minutes = 0
        for (const weekday of weekdays)
          for (let minute = 0; minute < minutesPerDay; minute++) if (isOpen(window, { weekday, minute })) minutes += 1
        expect(minutes * 60_000).toBe(openMs(window) * window.days.length)
      }),
      { numRuns: 30 },
    )
  })

  test('says its hours, and its days where they are not all', () => {
    expect(describeWindow(always)).toBe('00:00-24:00')
    expect(describeWindow(night)).toBe('22:00-06:00 on fri')
  })
})

test.each([
  ['00:00', 0],
  ['08:05', 485],
  ['24:00', 1440],
  ['24:01', null],
  ['8:00', null],
  ['08:60', null],
  ['0800', null],
  ['', null],
])('%j is %j minutes after midnight', (text, minutes) => {
  expect(parseClockTime(text)).toBe(minutes)
})
