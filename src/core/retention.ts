import type { PredictionRecord } from './prediction.ts'
import { isWarmUp } from './warm-up.ts'

/** How long bytes are kept, and how many. Null: no limit. */
export interface Retention {
  /** From creation: inputs and outputs of settled predictions, and uploaded files. */
  readonly ageMs: number | null
  /** Of all inputs and outputs together; beyond it the oldest go first. */
  readonly bytes: number | null
  /** Free room below which nothing new is taken on, so that what runs can still be finished. */
  readonly spareBytes: number
}

export const defaultRetention: Retention = { ageMs: 30 * 24 * 3_600_000, bytes: 20e9, spareBytes: 0.5e9 }

/**
 * Bytes of the output that a prediction keeps, 0 for none; null while it is not settled, and once its data are removed. The
 * output of a shadow run or a warm-up is nobody's and goes by itself within a moment or a wait: counted, it would drive out
 * what callers have made.
 */
export function keptBytesOf({ id, shadowOf, settledAt, dataRemovedAt, output }: PredictionRecord): number | null {
  if (settledAt === null || dataRemovedAt !== undefined) return null
  return output === null || shadowOf !== undefined || isWarmUp(id) ? 0 : output.bytes
}

/** A settled prediction without what its caller gave and got; what was tried, how it ended and what it cost stay. */
export function withoutData(record: PredictionRecord, now: number): PredictionRecord {
  return {
    ...record,
    input: {},
    files: {},
    output: null,
    attempts: record.attempts.map(attempt => ({ ...attempt, output: null, outputs: null })),
    dataRemovedAt: now,
  }
}

/** Where in the file store everything lies that can be made again from what is kept. */
export const derivedRoot = 'derived'

/** What was made of a file with these bytes. */
export function derivedFolder(sha256: string): string {
  return `${derivedRoot}/${sha256}`
}
