/** In the order in which `Date` counts them, from Sunday. */
export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
export type Weekday = (typeof weekdays)[number]

export const minutesPerDay = 1_440

/**
 * Hours of the day on some days of the week, by the wall clock of one time zone. From `fromMinute` (inclusive, 0 to 1439)
 * to `toMinute` (exclusive, 1 to 1440); where it does not lie behind `fromMinute` the window goes on past midnight, and
 * its day is the one on which it opens.
 */
export interface DailyWindow {
  readonly fromMinute: number
  readonly toMinute: number
  readonly days: readonly Weekday[]
}

/** What a wall clock and a calendar show at one moment. */
export interface LocalTime {
  readonly weekday: Weekday
  /** Since midnight, 0 to 1439. */
  readonly minute: number
}

/** Whether the window is open. By the wall clock: an hour that summer time skips is never open, one that comes twice is twice. */
export function isOpen({ fromMinute, toMinute, days }: DailyWindow, { weekday, minute }: LocalTime): boolean {
  if (fromMinute < toMinute) return days.includes(weekday) && minute >= fromMinute && minute < toMinute
  if (minute >= fromMinute) return days.includes(weekday)
  return minute < toMinute && days.includes(dayBefore(weekday))
}

/** How long the window is open each time, in milliseconds, on a day without a change of the clocks. */
export function openMs({ fromMinute, toMinute }: DailyWindow): number {
  const minutes = toMinute - fromMinute
  return (minutes > 0 ? minutes : minutes + minutesPerDay) * 60_000
}

/** `08:00-20:00 on mon, tue`; without the days where it is every day. */
export function describeWindow({ fromMinute, toMinute, days }: DailyWindow): string {
  const hours = `${clockTime(fromMinute)}-${clockTime(toMinute)}`
  return days.length === weekdays.length ? hours : `${hours} on ${days.join(', ')}`
}

/** Minutes of `08:00`; 1440 for `24:00`; null for what is no time of the day. */
export function parseClockTime(text: string): number | null {
  const [, hours, minutes] = /^(\d{2}):(\d{2})$/.exec(text) ?? []
  if (hours === undefined || minutes === undefined || Number(minutes) > 59) return null
  const total = Number(hours) * 60 + Number(minutes)
  return total <= minutesPerDay ? total : null
}

function clockTime(minute: number): string {
  const two = (value: number) => String(value).padStart(2, '0')
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`
}

function dayBefore(day: Weekday): Weekday {
  return weekdays[(weekdays.indexOf(day) + 6) % 7] ?? day
}
