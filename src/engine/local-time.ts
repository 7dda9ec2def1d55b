import { type LocalTime, weekdays } from '../core/schedule.ts'

const formats = new Map<string, Intl.DateTimeFormat>()

/** What the wall clocks of a time zone (an IANA name) show at a moment. Throws `RangeError` for a zone that nobody knows. */
export function localTimeOf(now: number, timeZone: string): LocalTime {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(now)
      .map(({ type, value }) => [type, value]),
  )
  const name = parts.get('weekday')?.toLowerCase()
  const weekday = weekdays.find(day => day === name) ?? 'sun'
  return { weekday, minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) }
}

/** Making one takes longer than using it. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known !== undefined) return known
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
  })
  formats.set(timeZone, format)
  return format
}
