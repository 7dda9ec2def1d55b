import { type Counter, createCounter, createHistogram, type Histogram } from '../core/tally.ts'
import type { JournalEntry } from './journal.ts'

/** What one process has counted since it began; each thing is counted by the process that wrote it. */
export interface EngineTally {
  /** Predictions that were created here. */
  readonly created: Counter<'model' | 'purpose'>
  readonly ended: Counter<'model' | 'purpose' | 'status' | 'failure'>
  /** Seconds from creation to end. */
  readonly predictionSeconds: Histogram<'model' | 'purpose' | 'status'>
  readonly attemptsSent: Counter<'deployment'>
  readonly attemptsEnded: Counter<'deployment' | 'state' | 'failure'>
  /** Seconds from the start that was sent to the end. */
  readonly attemptSeconds: Histogram<'deployment' | 'state'>
  /** Seconds in each stage, of attempts that won. */
  readonly stageSeconds: Histogram<'deployment' | 'stage'>
  readonly startsLost: Counter<'deployment'>
  /** Attempts that were planned on another deployment than the one before them, by that one. */
  readonly failovers: Counter<'deployment'>
  /** USD of attempts that have ended. */
  readonly cost: Counter<'deployment'>
  readonly webhooksDied: Counter<'event'>
  /** Predictions that were taken over from another process. */
  readonly takeOvers: Counter<never>
  /** Calls of the store that failed. */
  readonly storeFailures: Counter<never>
}

/** A preview takes a second, a cold GPU ten minutes, and the longest deadline is half an hour. */
const seconds: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800]

export function createEngineTally(): EngineTally {
  return {
    created: createCounter(['model', 'purpose']),
    ended: createCounter(['model', 'purpose', 'status', 'failure']),
    predictionSeconds: createHistogram(['model', 'purpose', 'status'], seconds),
    attemptsSent: createCounter(['deployment']),
    attemptsEnded: createCounter(['deployment', 'state', 'failure']),
    attemptSeconds: createHistogram(['deployment', 'state'], seconds),
    stageSeconds: createHistogram(['deployment', 'stage'], seconds),
    startsLost: createCounter(['deployment']),
    failovers: createCounter(['deployment']),
    cost: createCounter(['deployment']),
    webhooksDied: createCounter(['event']),
    takeOvers: createCounter([]),
    storeFailures: createCounter([]),
  }
}

/** Counts what the journal notes. */
export function count(tally: EngineTally, entry: JournalEntry): void {
  switch (entry.type) {
    case 'attemptPlanned':
      if (entry.after !== null && entry.after !== entry.deployment) tally.failovers.add({ deployment: entry.after })
      return
    case 'attemptSent':
      return tally.attemptsSent.add({ deployment: entry.deployment })
    case 'startLost':
      return tally.startsLost.add({ deployment: entry.deployment })
    case 'attemptEnded': {
      const { deployment, ended } = entry
      const { state, failure, totalMs, stages } = ended
      tally.attemptsEnded.add({ deployment, state, failure: failure ?? '' })
      if (totalMs !== null) tally.attemptSeconds.observe({ deployment, state }, totalMs / 1_000)
      for (const [stage, ms] of Object.entries(stages))
        if (ms !== null) tally.stageSeconds.observe({ deployment, stage }, ms / 1_000)
      return
    }
    case 'attemptCharged':
      return tally.cost.add({ deployment: entry.deployment }, entry.amount)
    case 'predictionEnded': {
      const { model, purpose, ended } = entry
      const { status, failure, totalMs } = ended
      tally.ended.add({ model, purpose, status, failure: failure ?? '' })
      return tally.predictionSeconds.observe({ model, purpose, status }, totalMs / 1_000)
    }
    case 'webhookDied':
      return tally.webhooksDied.add({ event: entry.event })
    case 'attemptFailed':
    case 'runUnconfirmed':
      return
  }
}
