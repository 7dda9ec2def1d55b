import { monitorEventLoopDelay } from 'node:perf_hooks'

/** What the system says of this process. */
export interface ProcessFigures {
  /** Seconds since 1970. */
  readonly startedAt: number
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly heapBytes: number
  /** How long timers had to wait, in seconds; null at the first reading, which begins to measure it. */
  readonly lag: { readonly p99: number; readonly max: number } | null
}

/** The monitor's own rhythm, which its values contain. */
const resolutionMs = 10
/** Whoever reads more often gets the same lag again: two that scrape would else halve each other's time. */
const shortestMs = 10_000

/** Measures from the first reading on; `lag` is that of the time between two readings. */
export function createProcessFigures(): () => ProcessFigures {
  let monitor: ReturnType<typeof monitorEventLoopDelay> | null = null
  let since = 0
  let lag: ProcessFigures['lag'] = null
  return () => {
    if (monitor === null) {
      monitor = monitorEventLoopDelay({ resolution: resolutionMs })
      monitor.enable()
      since = performance.now()
    } else if (performance.now() - since >= shortestMs || lag === null) {
      lag = { p99: toSeconds(monitor.percentile(99)), max: toSeconds(monitor.max) }
      monitor.reset()
      since = performance.now()
    }
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    return {
      startedAt: performance.timeOrigin / 1_000,
      cpuSeconds: (user + system) / 1e6,
      residentBytes: rss,
      heapBytes: heapUsed,
      lag,
    }
  }
}

function toSeconds(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - resolutionMs / 1_000)
}
