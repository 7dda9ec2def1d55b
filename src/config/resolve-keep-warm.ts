import { minutesPerDay, parseClockTime, weekdays } from '../core/schedule.ts'
import { usualWaitMs } from '../core/warm-up.ts'
import type { KeepWarm } from '../engine/contract.ts'
import type { Warmth } from '../providers/contract.ts'
import type { KeepWarmConfig } from './config.ts'
import { refuseConfig } from './refuse-config.ts'

/** The hours as the engine goes by them; refused where nothing can be kept warm. */
export function resolveKeepWarm(
  where: string,
  { from, to, days = weekdays, timeZone = 'UTC', everySeconds }: KeepWarmConfig,
  warmth: Warmth | undefined,
): KeepWarm {
  if (warmth === undefined)
    refuseConfig(
      `${where}: nothing can be kept warm there: no worker stays from one run to the next, or it is always there.`,
    )
  const minuteOf = (time: string | undefined) => (time === undefined ? 0 : (parseClockTime(time) ?? 0))
  return {
    // Midnight as an end is that of the day's end.
    window: { fromMinute: minuteOf(from), toMinute: minuteOf(to) || minutesPerDay, days },
    timeZone,
    everyMs: everySeconds === undefined ? usualWaitMs(warmth.idleMs) : everySeconds * 1000,
  }
}
