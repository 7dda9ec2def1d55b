import { type DailyWindow, openMs } from './schedule.ts'

/** What is known about the price of keeping workers. Times in milliseconds, null where nobody knows. */
export interface WarmPrices {
  /** USD. */
  readonly pricePerSecond: number | null
  /** What is billed beside the run. */
  readonly bills: readonly ('boot' | 'idle')[]
  /** How long a worker that nothing uses stays. */
  readonly idleMs: number | null
  readonly idleBy: 'target' | 'vendor'
  /** Whether a call that is no run brings a worker, and whether one keeps it. */
  readonly wokenBy: 'call' | 'run'
  readonly keptBy: 'call' | 'run'
  /** Medians of what was measured. */
  readonly bootMs: number | null
  readonly runMs: number | null
}

/** An estimate, and what it takes on trust. */
export interface WarmEstimate {
  /** USD; null where no price is known. */
  readonly amount: number | null
  /** Billed seconds. */
  readonly seconds: number
  readonly assumptions: readonly string[]
}

/** Taken where nothing was measured or stated: guesses, and named as such. */
const assumed = { bootMs: 30_000, runMs: 10_000, idleMs: 60_000 } as const

/** What one warm-up of a cold deployment bills: the worker's start, a run where nothing less wakes it, and its idling after that. */
export function estimateWarmUp(prices: WarmPrices): WarmEstimate {
  const { boot, run, idle } = partsOf(prices, prices.wokenBy)
  return toEstimate(boot.ms + run.ms + idle.ms, prices, [boot, run, idle])
}

/**
 * What a window bills on a day on which nobody else uses the deployment: the most that keeping it warm can add, because
 * each use puts the next warm-up off. Where a worker outlives the wait between two warm-ups it is one worker for all of the
 * window.
 */
export function estimateWindow(window: DailyWindow, everyMs: number, prices: WarmPrices): WarmEstimate & WindowCount {
  const { boot, run, idle } = partsOf(prices, prices.keptBy)
  const open = openMs(window)
  const times = Math.max(1, Math.ceil(open / everyMs))
  const apart = times * (boot.ms + run.ms + idle.ms)
  const throughout = boot.ms + open + idle.ms
  const stays = staysWarm(everyMs, prices)
  const isIdleBilled = prices.bills.includes('idle')
  const billed = isIdleBilled ? (stays ? throughout : Math.min(apart, throughout)) : apart
  const one = 'Nobody else uses the deployment; each use puts the next warm-up off.'
  return { ...toEstimate(billed, prices, [boot, run, idle], one), times, stays }
}

export interface WindowCount {
  /** Warm-ups in one opening of the window. */
  readonly times: number
  /** Whether a worker stays from one warm-up to the next, as far as is known. */
  readonly stays: boolean
}

/** Whether a worker stays from one warm-up to the next, as far as is known. */
export function staysWarm(everyMs: number, { idleMs }: Pick<WarmPrices, 'idleMs'>): boolean {
  return idleMs !== null && everyMs <= idleMs
}

interface Part {
  readonly ms: number
  /** A sentence where it was taken on trust. */
  readonly trust: string | null
}

function partsOf(prices: WarmPrices, by: 'call' | 'run'): { boot: Part; run: Part; idle: Part } {
  const { bills, bootMs, runMs, idleMs, idleBy } = prices
  const none = { ms: 0, trust: null }
  const guess = (ms: number, what: string) => ({
    ms,
    trust: `${what} is taken to be ${ms / 1000} s: not measured yet.`,
  })
  return {
    boot: !bills.includes('boot') ? none : (measured(bootMs) ?? guess(assumed.bootMs, 'A cold start')),
    run: by === 'call' ? none : (measured(runMs) ?? guess(assumed.runMs, 'A run')),
    idle: !bills.includes('idle')
      ? none
      : idleMs === null
        ? { ms: assumed.idleMs, trust: `A worker is taken to idle for ${assumed.idleMs / 1000} s: not known here.` }
        : {
            ms: idleMs,
            trust:
              idleBy === 'target'
                ? null
                : `A worker idles for ${idleMs / 1000} s: the vendor's default; idleSeconds in the target says otherwise.`,
          },
  }
}

function measured(ms: number | null): Part | null {
  return ms === null ? null : { ms, trust: null }
}

function toEstimate(ms: number, { pricePerSecond }: WarmPrices, parts: readonly Part[], more?: string): WarmEstimate {
  const seconds = Math.ceil(ms / 1000)
  const assumptions = [...parts.flatMap(({ trust }) => trust ?? []), ...(more === undefined ? [] : [more])]
  return { amount: pricePerSecond === null ? null : pricePerSecond * seconds, seconds, assumptions }
}
