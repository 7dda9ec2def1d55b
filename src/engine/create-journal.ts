import type { Breaker } from '../core/breaker.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import type { Log } from './contract.ts'
import { count, createEngineTally, type EngineTally } from './engine-tally.ts'
import { entriesOf, purposeOf, toLine } from './journal.ts'
import { createOutage, type Outage } from './outage.ts'

/** The one place that logs and counts what happens to predictions, deployments and the store, each thing once. */
export interface Journal {
  created(record: PredictionRecord): void
  /** A change that this process has written, or holds in memory. */
  changed(before: PredictionRecord, after: PredictionRecord): void
  /** Predictions that others had driven go on here. */
  tookOver(predictions: number): void
  /** How a deployment's breaker stands now. */
  breaker(deployment: string, breaker: Breaker): void
  readonly outage: Outage
  readonly tally: EngineTally
}

/** `now` is in milliseconds since 1970. */
export function createJournal(log: Log, now: () => number): Journal {
  const tally = createEngineTally()
  const outage = createOutage(log, now)
  const breakers = new Map<string, Breaker['state']>()
  return {
    tally,
    outage: {
      ...outage,
      failed(error) {
        tally.storeFailures.add({})
        outage.failed(error)
      },
    },
    created(record) {
      tally.created.add({ model: record.model, purpose: purposeOf(record) })
    },
    changed(before, after) {
      for (const entry of entriesOf(before, after)) {
        count(tally, entry)
        const line = toLine(entry)
        if (line !== null) log(line.level, line.message, line.fields)
      }
    },
    tookOver(predictions) {
      if (predictions === 0) return
      tally.takeOvers.add({}, predictions)
      log('info', 'Predictions that another process had driven go on here.', { predictions })
    },
    breaker(deployment, breaker) {
      const before = breakers.get(deployment) ?? 'closed'
      breakers.set(deployment, breaker.state)
      // A probe on its way opens and half-opens it again and again: paused is paused.
      if (before === 'closed' && breaker.state !== 'closed')
        log('warn', 'A deployment is paused.', { deployment, why: breaker.why })
      if (before !== 'closed' && breaker.state === 'closed') log('info', 'A deployment is used again.', { deployment })
    },
  }
}
